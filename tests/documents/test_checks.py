"""What is wrong with a document that its form alone can't tell: ids, look-ups, friends, calls."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_tui.config.friends import Friend, Param, TaskInfo
from kimera_tui.documents.checks import problems_of
from kimera_tui.documents.document import Document
from tests.documents.cases import many
from tests.documents.test_documents import problems_at


def problems(plain: dict[str, Any], friends: Any = None) -> list[str]:
    document = Document.model_validate({"name": "x", **plain})
    return [each.text for each in problems_of(document, friends)]


def task(name: str, *look_ups: str, **more: Any) -> dict[str, Any]:
    args = [f"${{{{ {each} }}}}" for each in look_ups]
    return {"id": name, "task": "lab.step", **({"args": args} if args else {}), **more}


def wrong(steps: list[dict[str, Any]], **header: Any) -> list[str]:
    """The sentences, without places."""
    return [each.partition(": ")[2] for each in problems({"steps": steps, **header})]


NOT_YET = "has not run by the time this one starts."


# Ids


def test_an_id_stands_once_wherever_it_is() -> None:
    steps = [
        task("a", on_error=[task("b")]),
        {"id": "c", "para": [task("d"), task("a")]},
    ]
    assert problems({"steps": steps, "finally": [task("b")]}) == [
        "steps.1.para.1.id: another step has the id `a`.",
        "finally.0.id: another step has the id `b`.",
    ]


# Look-ups of steps


def test_a_step_looks_up_those_that_ran_before_it() -> None:
    chain = {"id": "c", "chain": [task("d"), task("e", "steps.d.result")]}
    steps = [
        task("a"),
        {"id": "p", "para": [task("b"), chain]},
        task("f", *(f"steps.{name}.result.x" for name in "apbcde"), "steps.a.status"),
    ]  # fmt: skip
    assert wrong(steps) == []


@pytest.mark.parametrize(
    ("look_up", "sentence"),
    [
        ("steps.later.result", f"`steps.later.result`: step `later` {NOT_YET}"),
        ("steps.me.result", "`steps.me.result`: a step can't look up its own result."),
        ("steps.around.result", f"`steps.around.result`: step `around` {NOT_YET}"),
        ("steps.beside.result", f"`steps.beside.result`: step `beside` {NOT_YET}"),
        ("steps.other.result", f"`steps.other.result`: step `other` {NOT_YET}"),
        ("steps.help.result", f"`steps.help.result`: step `help` {NOT_YET}"),
        ("steps.tidy.result", f"`steps.tidy.result`: step `tidy` {NOT_YET}"),
        ("steps.befor.result", "`steps.befor.result`: there is no step `befor`. Near: `before`."),
        ("steps", "`steps`: name one, such as steps.name."),
        ("steps.before", "`steps.before`: choose one of result, status."),
        (
            "steps.before.reslt",
            "`steps.before.reslt`: has no `reslt`; choose one of result, status.",
        ),
        ("steps.before[0]", "`steps.before[0]`: has no `0`; choose one of result, status."),
        ("steps.before.result.deep[0]['er']", ""),
        ("steps['before']['result']", ""),
    ],
)
def test_what_a_step_in_a_para_can_look_up(look_up: str, sentence: str) -> None:
    steps = [
        task("before", on_error=[task("help")]),
        {
            "id": "around",
            "para": [
                {"id": "first", "chain": [task("beside"), task("other")]},
                task("me", look_up),
            ],
        },
        task("later"),
    ]
    found = wrong(steps, **{"finally": [task("tidy")]})
    assert found == ([sentence] if sentence else [])


def test_no_branch_looks_into_another_in_whatever_order_they_stand() -> None:
    branches = [task("a", "steps.b.result"), {"id": "c", "chain": [task("b", "steps.a.result")]}]
    assert wrong([{"id": "p", "para": branches}]) == [
        f"`steps.b.result`: step `b` {NOT_YET}",
        f"`steps.a.result`: step `a` {NOT_YET}",
    ]


def test_what_runs_for_an_error_sees_the_failed_step_and_nobody_else_sees_it() -> None:
    handlers = [task("h", "steps.a.status", "error.type", "error.message", "error.task"),
                task("i", "steps.h.result", "prev", "error.type")]  # fmt: skip
    steps = [task("a", on_error=handlers), task("b", "steps.h.result")]
    assert wrong(steps) == [f"`steps.h.result`: step `h` {NOT_YET}"]
    assert (
        wrong([{"id": "c", "chain": [task("a")], "on_error": [task("h", "steps.a.result")]}]) == []
    )


def test_at_the_end_everything_may_have_run() -> None:
    steps = [task("a", on_error=[task("h")]), {"id": "p", "para": [task("b")]}]
    finals = [task("y", *(f"steps.{name}.status" for name in "ahpb")), task("z", "steps.y.result")]
    assert wrong(steps, **{"finally": finals}) == []
    assert wrong(steps, **{"finally": [task("y", "steps.z.result"), task("z")]}) == [
        f"`steps.z.result`: step `z` {NOT_YET}"
    ]


# Other look-ups


def test_prev_is_there_where_a_result_comes_in() -> None:
    nothing = "`prev`: there is no upstream result here."
    assert wrong([task("a", "prev"), task("b", "prev.x")]) == [nothing]
    inner = {"id": "p", "para": [task("c", "prev"), {"id": "q", "chain": [task("d", "prev")]}]}
    assert wrong([inner]) == [nothing, nothing]
    assert wrong([task("a"), inner]) == []
    assert wrong([task("a", on_error=[task("h", "prev")])]) == [nothing]
    assert wrong([task("a")], **{"finally": [task("z", "prev")]}) == [nothing]
    assert wrong([task("a", when={"ref": "prev", "eq": 1})]) == [nothing]


@pytest.mark.parametrize(
    ("look_up", "sentence"),
    [
        ("run.id", ""),
        ("run.name", ""),
        ("run.started", ""),
        ("run", "`run`: choose one of id, name, started."),
        ("run.nme", "`run.nme`: has no `nme`; choose one of id, name, started."),
        ("env.HOME", ""),
        ("env.PATH", "`env.PATH`: list `PATH` under `env:` to look it up."),
        ("env", "`env`: name one, such as env.name."),
        ("inputs.day", ""),
        ("inputs.dya", "`inputs.dya`: there is no input `dya`. Near: `day`."),
        ("inputs", "`inputs`: name one, such as inputs.name."),
        ("error.type", "`error.type`: only the steps of on_error have an error to look up."),
        (
            "item",
            "Template `${{ item }}`: `item` can't be looked up; choose from inputs, steps, prev",
        ),
        (
            "inputs.day | upcase",
            "Template `${{ inputs.day | upcase }}`: no filter `upcase`. Near: `u",
        ),
        ("inputs.day |", "Template `${{ inputs.day | }}`: a filter is missing."),
        ("inputs.day}} ${{ x", "Template `${{ x }}`: `x` can't be looked up"),
    ],
)
def test_what_can_be_looked_up_besides(look_up: str, sentence: str) -> None:
    found = wrong([task("a", look_up)], env=["HOME"], inputs={"day": {}})
    assert len(found) == bool(sentence)
    assert "".join(found).startswith(sentence)


def test_an_error_has_its_fields_only() -> None:
    assert wrong([task("a", on_error=[task("h", "error.code", "error")])]) == [
        "`error.code`: has no `code`; choose one of type, message, task.",
        "`error`: choose one of type, message, task.",
    ]


def test_look_ups_are_found_however_deep_they_are() -> None:
    deep = {"a": [{"b": "x ${{ inputs.no }} y"}], "c": "$${{ inputs.escaped }}"}
    assert problems({"steps": [task("a", kwargs=deep)]}) == [
        "steps.0.kwargs.a: `inputs.no`: there is no input `no`."
    ]
    condition = {"all": [{"not": {"any": [{"ref": "inputs.no", "eq": 1}]}}]}
    assert problems({"steps": [{"id": "c", "chain": [task("a")], "when": condition}]}) == [
        "steps.0.when: `inputs.no`: there is no input `no`."
    ]


# Secrets


def test_a_secret_belongs_into_named_arguments_only() -> None:
    inputs = {"key": {"type": "secret"}}
    sentence = "`inputs.key` is a secret, which is allowed in kwargs only."
    assert wrong([task("a", kwargs={"k": "${{ inputs.key }}"})], inputs=inputs) == []
    assert wrong([task("a", "inputs.key")], inputs=inputs) == [sentence]
    assert wrong([task("a", when={"ref": "inputs.key", "eq": 1})], inputs=inputs) == [sentence]
    found = wrong([task("a")], inputs=inputs, concurrency={"key": "${{ inputs.key }}"})
    assert found == [sentence]


def test_so_does_a_variable_whose_name_says_that_it_is_one() -> None:
    env = ["ORDERS_API_KEY", "ORDERS_REGION"]
    assert wrong([task("a", kwargs={"k": "${{ env.ORDERS_API_KEY }}"})], env=env) == []
    assert wrong([task("a", "env.ORDERS_REGION")], env=env) == []
    assert wrong([task("a", when={"ref": "env.ORDERS_API_KEY", "exists": True})], env=env) == []
    assert wrong([task("a", "env.ORDERS_API_KEY")], env=env) == [
        "`env.ORDERS_API_KEY` is a secret, which is allowed in kwargs only."
    ]


def test_what_keeps_runs_apart_is_made_of_inputs() -> None:
    found = wrong([task("a")], concurrency={"key": "${{ run.id }} ${{ inputs.x }}"})
    assert found == [
        "`run.id`: only inputs can be looked up here.",
        "`inputs.x`: there is no input `x`.",
    ]
    assert wrong([task("a")], concurrency={"key": "${{ "})[0].startswith("Template `${{`")


# Friends


LAB = {
    "lab": Friend(
        route="lab",
        queue="lab",
        tasks={
            "step": TaskInfo(
                params={
                    "day": Param(type="date", required=True),
                    "count": Param(type="int"),
                    "pin": Param(secret=True),
                }
            )
        },
    )
}


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ({"task": "lab.step", "kwargs": {"day": "2026-01-31"}}, ""),
        ({"task": "step", "friend": "lab", "kwargs": {"day": "2026-01-31"}}, ""),
        ({"task": "lab.other"}, ""),
        ({"task": "lba.step"}, "task: no friend `lba` is configured. Near: `lab`."),
        ({"task": "step", "friend": "lba"}, "friend: no friend `lba` is configured. Near: `lab`."),
        ({"task": "step"}, "task: no friend is named: write friend.step, or set a default frie"),
        ({"task": "lab.step"}, "kwargs: day is required by step."),
        ({"task": "lab.step", "args": ["2026-01-31"]}, ""),
        ({"task": "lab.step", "args": ["2026-01-31", "x"]}, 'args: count: "x" is not an integer.'),
        ({"task": "lab.step", "args": ["2026-01-31", 1, "x"]},
         "args.2: pin is a secret, which is allowed in kwargs only."),
        ({"task": "lab.step", "args": ["2026-01-31", 1, "${{ run.id }}"]},
         "args.2: pin is a secret, which is allowed in kwargs only."),
        ({"task": "lab.step", "args": ["2026-01-31", 1], "kwargs": {"pin": "x"}}, ""),
        ({"task": "lab.step", "kwargs": {"day": 5}},
         "kwargs.day: day: must be a date such as 2026-01-31."),
        ({"task": "lab.step", "kwargs": {"day": "${{ run.id }}", "count": "${{ run.id }}"}}, ""),
        ({"task": "lab.step", "kwargs": {"day": "x", "count": "many"}},
         'kwargs.count: count: "many" is not an integer.'),
    ],
)  # fmt: skip
def test_calls_are_checked_against_what_friends_declare(step: dict[str, Any], problem: str) -> None:
    plain = {"steps": [{"id": "a", **step}]}
    found = problems(plain, LAB)
    assert len(found) == bool(problem)
    assert "".join(found).startswith(f"steps.0.{problem}" if problem else "")
    assert problems(plain, None) == []


def test_a_default_friend_and_what_comes_in_count() -> None:
    steps = [task("a", kwargs={"day": "x"}), {"id": "b", "task": "step"},
             {"id": "c", "task": "step", "pass": "none"}]  # fmt: skip
    assert problems({"steps": steps, "defaults": {"friend": "lab"}}, LAB) == [
        "steps.2.kwargs: day is required by step."
    ]


# Many at once


def test_hints_end_where_comparing_names_would_take_long() -> None:
    found = problems_at(
        many(1000, lambda number: f', args: ["${{{{ steps.stp_{number}.result }}}}"]')
    )
    assert len(found) == 200
    assert [bool("Near" in problem) for _, problem in found[:8]] == [True] * 6 + [False] * 2


def test_the_lines_are_those_of_the_file() -> None:
    text = (
        "kimera: 1\nname: x\ninputs:\n  a: {type: enum}\nsteps:\n  - id: a\n    task: ech.value\n"
        "    when: {ref: prev, eq: 1}\n    args:\n      - ok\n      - ${{ inputs.b }}\n"
    )
    assert [line for line, _ in problems_at(text, friends=True)] == [4, 7, 8, 11]
