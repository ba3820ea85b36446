"""The form of documents: every key, and every mistake with its line, place and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.documents.document import (
    ChainStep,
    Document,
    ParaStep,
    TaskStep,
    all_steps,
    called,
    children_of,
)
from kimera_tui.documents.parse import read_checked, read_document, read_formed
from kimera_tui.errors import ConfigError
from kimera_tui.yaml.reading import Malformed
from tests.documents.cases import EVERYTHING, EXAMPLES, FRIENDS, HEAD, many, nested


def problems_at(text: str, friends: bool = False) -> list[tuple[int, str]]:
    """Line, and place with sentence, of everything that is wrong."""
    found = read_document(text, "f", FRIENDS if friends else None)
    return [(each.line, each.text) for each in found.problems]


def step(more: str) -> str:
    return HEAD + f"  - {{id: a, task: echo.value, {more}}}\n"


def header(more: str) -> str:
    return f"kimera: 1\nname: x\n{more}\nsteps:\n  - {{id: a, task: echo.value}}\n"


# What is right


def test_every_key_is_read_as_what_it_says() -> None:
    document = read_document(EVERYTHING, "f", FRIENDS).document
    assert document is not None
    assert problems_at(EVERYTHING, friends=True) == []
    assert [each.id for each in all_steps(document)] == [
        "first", "work", "left", "right", "inner", "last", "report", "alert", "tidy",
    ]  # fmt: skip
    assert (document.name, document.env, document.timeout) == ("everything", ["HOME", "LANG"], 3600)
    assert document.defaults.friend == "echo"
    assert document.defaults.timeout == 120
    assert document.concurrency is not None
    assert document.concurrency.limit == 2
    first, work, report = document.steps
    assert isinstance(first, TaskStep)
    assert (first.timeout, first.start_timeout, first.on_timeout) == (60, 10, "terminate")
    assert first.retry is not None
    assert (first.retry.max, first.retry.delay, first.retry.factor) == (2, 0.5, 2.0)
    assert (first.retry.max_delay, first.retry.on) == (60, ["ConnectionError", "TIMEOUT"])
    assert first.idempotent
    assert first.notes == "Several lines\nof notes.\n"
    assert isinstance(work, ParaStep)
    assert (work.gather, work.max_parallel, work.fail) == ("dict", 2, "fast")
    left, right = children_of(work)
    assert isinstance(left, TaskStep)
    assert (left.pass_, called(left, document)) == ("payload", ("echo", "value"))
    assert isinstance(right, ChainStep)
    assert right.chain[1].on_error == "continue"
    assert [each.id for each in report.handlers] == ["alert"]
    assert called(first, document) == ("echo", "value")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_nothing_is_wrong_with_the_examples(path: Path) -> None:
    assert read_checked(path, FRIENDS).kimera == 1


def test_what_is_left_out_holds_as_the_format_says() -> None:
    document = read_formed(HEAD + "  - {id: a, task: b}\n", "f")
    assert document == Document(name="x", steps=[TaskStep(id="a", task="b")])
    only = document.steps[0]
    assert isinstance(only, TaskStep)
    assert (only.args, only.kwargs, only.pass_, only.on_error) == ([], {}, "auto", "fail")
    assert (only.timeout, only.retry, only.when, only.idempotent) == (None, None, None, False)
    assert called(only, document) == ("", "b")


# What is no document


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("", 1, "not a workflow; a workflow starts with `kimera: 1`"),
        ("# nothing\n", 1, "not a workflow"),
        ("- a\n", 1, "not a workflow"),
        ("name: x\n", 1, "the line `kimera: 1` is missing."),
        ("name: x\nkimera: 2\n", 2, "kimera: 2: this Kimera reads version 1 only."),
        ("kimera: 0", 1, "kimera: 0: this Kimera reads version 1 only."),
        ("kimera: '1'", 1, "kimera: must be the number 1."),
        ("kimera: 1.0", 1, "kimera: must be the number 1."),
        ("kimera: true", 1, "kimera: must be the number 1."),
        ("kimera:", 1, "kimera: must be the number 1."),
    ],
)
def test_another_version_or_no_workflow_is_reported_alone(
    text: str, line: int, sentence: str
) -> None:
    for read in (read_document, read_formed):
        with pytest.raises(Malformed) as caught:
            read(text, "f")
        assert caught.value.line == line
        assert caught.value.sentence.startswith(sentence)


# What is wrong with one value


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("kwarg: {}", "kwarg: unknown key 'kwarg'. Near: `kwargs`, `args`."),
        ("timeot: 5s", "timeot: unknown key 'timeot'. Near: `timeout`, `on_timeout`"),
        ("pass_: none", "pass_: unknown key 'pass_'. Near: `pass`."),
        ("'list[x]': 1", "list[x]: unknown key 'list[x]'."),
        ("task: 5", "task: must be text; quote it."),
        ("task: 'a b'", "task: write a task as friend.task, with letters, digits and _ . : -."),
        ("task: ''", "task: write a task as friend.task, with letters, digits and _ . : -."),
        ("id: A", "id: use up to 40 lowercase letters, digits and `_`, starting with a letter."),
        ("id: 7", "id: must be text; quote it."),
        ("id: " + "a" * 41, "id: use up to 40 lowercase letters, digits and `_`"),
        ("friend: 5", "friend: must be text; quote it."),
        ("friend: ''", "friend: must not be empty."),
        ("args: 1", "args: must be a list."),
        ("args: {}", "args: must be a list: named arguments go into `kwargs`."),
        ("kwargs: [1]", "kwargs: must be a mapping of keys to values: write `"),
        ("pass: all", "pass: must be one of auto, first, payload, none."),
        ("pass: []", "pass: must be one of auto, first, payload, none."),
        ("pass: paylod", "pass: must be one of auto, first, payload, none. Near: `payload`."),
        ("timeout: soon", "timeout: must be a duration such as 200ms, 30s, 5m or 1h30m."),
        ("timeout: 0", "timeout: must be greater than 0."),
        ("timeout: -5s", "timeout: must be greater than 0."),
        ("timeout: 721h", "timeout: must be at most 720h."),
        ("timeout: true", "timeout: must be a duration such as 200ms, 30s, 5m or 1h30m."),
        ("timeout: [5]", "timeout: must be a duration such as 200ms, 30s, 5m or 1h30m."),
        ("start_timeout: x", "start_timeout: must be a duration such as 200ms, 30s, 5m or 1h30m"),
        ("on_timeout: revok", "on_timeout: must be one of revoke, leave, terminate. Near: `re"),
        ("idempotent: yes", "idempotent: must be true or false."),
        ("idempotent: 1", "idempotent: must be true or false."),
        ("notes: 5", "notes: must be text; quote it."),
        ("retry: 3", "retry: must be a mapping of keys to values: write `"),
        ("retry: {}", "retry.max: is required."),
        ("retry: {max: -1}", "retry.max: must be at least 0."),
        ("retry: {max: 101}", "retry.max: must be at most 100."),
        ("retry: {max: 2.5}", "retry.max: must be an integer."),
        ("retry: {max: '2'}", "retry.max: must be an integer."),
        ("retry: {max: true}", "retry.max: must be an integer."),
        ("retry: {max: 1, factor: 0.5}", "retry.factor: must be at least 1"),
        ("retry: {max: 1, factor: '2'}", "retry.factor: must be a number."),
        ("retry: {max: 1, factor: true}", "retry.factor: must be a number."),
        ("retry: {max: 1, delay: x}", "retry.delay: must be a duration"),
        ("retry: {max: 1, on: TIMEOUT}", "retry.on: must be a list."),
        ("retry: {max: 1, on: [1]}", "retry.on.0: must be text; quote it."),
        ("retry: {max: 1, on: [OSError, NotSent]}", "retry.on: a step that was not sent is never"),
        ("retry: {max: 1, dely: 1s}", "retry.dely: unknown key 'dely'. Near: `delay`"),
        ("on_error: stop", "on_error: must be fail, continue, or a list of steps."),
        ("on_error: [1]", "on_error.0: a step needs exactly one of task, chain, para."),
        ("on_error: {id: b}", "on_error: must be fail, continue, or a list of steps."),
        ("on_error: [{id: b, task: c, tim: 1}]", "on_error.0.tim: unknown key 'tim'."),
        ("when: true", "when: must be a mapping of keys to values: write `"),
        ("when: {}", "when: a condition needs exactly one of ref, all, any, not."),
        ("when: {ref: prev}", "when: ref needs exactly one of eq, ne, gt, ge, lt, le, in, exi"),
        ("when: {ref: a, eq: 1, ne: 2}", "when: ref needs exactly one of"),
        ("when: {ref: a, all: []}", "when.all: must not be empty."),
        ("when: {all: [{ref: a, eq: 1}], eq: 1}", "when: a comparison needs ref."),
        ("when: {not: {ref: a, eq: 1}, missing: 'true'}", "when: a comparison needs ref."),
        ("when: {all: null}", "when: only eq and ne may be null in a condition."),
        ("when: {not: null}", "when: only eq and ne may be null in a condition."),
        ("when: {ref: null, eq: 1}", "when: only eq and ne may be null in a condition."),
        ("when: {ref: a, in: null}", "when: only eq and ne may be null in a condition."),
        ("when: {ref: a, in: b}", "when.in: must be a list."),
        ("when: {ref: a, exists: 1}", "when.exists: must be true or false."),
        ("when: {ref: run.id, eq: 1, missing: no}", "when.missing: must be one of error, fal"),
        ("when: {any: [{ref: a, eqq: 1}]}", "when.any.0.eqq: unknown key 'eqq'. Near: `eq`."),
        ("when: {any: [{task: 1}]}", "when.any.0.task: unknown key 'task'."),
        ("when: {not: {reff: a}}", "when.not.reff: unknown key 'reff'. Near: `ref`."),
    ],
)  # fmt: skip
def test_a_wrong_value_of_a_step_is_reported_with_its_place(more: str, problem: str) -> None:
    key = more.partition(":")[0]
    text = HEAD + "  - id: a\n    task: echo.value\n    " + more + "\n"
    if key in ("id", "task"):
        text = HEAD + f"  - {{{'task: b' if key == 'id' else 'id: a'},\n   {more}}}\n"
    [(line, found)] = problems_at(text)
    assert line == (5 if key in ("id", "task") else 6)
    assert found.startswith(f"steps.0.{problem}")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("chain: 1", "chain: must be a list."),
        ("chain: []", "chain: must not be empty."),
        ("para: {}", "para: must be a list: start each step with `- id: NAME`."),
        ("para: []", "para: must not be empty."),
        ("chain: [{id: b, task: c, pas: 1}]", "chain.0.pas: unknown key 'pas'. Near: `pass`"),
        ("chain: [{id: b, task: c}], kwargs: {}", "kwargs: unknown key 'kwargs'."),
        ("chain: [{id: b, task: c}], gather: dict", "gather: unknown key 'gather'."),
        ("para: [{id: b, task: c}], gather: set", "gather: must be one of list, dict."),
        ("para: [{id: b, task: c}], max_parallel: 0", "max_parallel: must be at least 1."),
        ("para: [{id: b, task: c}], max_parallel: 2.5", "max_parallel: must be an integer."),
        ("para: [{id: b, task: c}], fail: slow", "fail: must be one of all, fast."),
        ("notes: ''", "a step needs exactly one of task, chain, para."),
        ("task: b, chain: []", "a step needs exactly one of task, chain, para."),
        ("tsak: b", "a step needs exactly one of task, chain, para. Unknown key 'tsak'. Near"),
        ("parra: [{id: b, task: c}]", "a step needs exactly one of task, chain, para. Unknown"),
    ],
)  # fmt: skip
def test_a_step_is_one_thing_and_has_the_keys_of_that(more: str, problem: str) -> None:
    [(line, found)] = problems_at(f"{HEAD}  - {{id: a, {more}}}\n")
    assert line == 4
    assert found.removeprefix("steps.0").lstrip(".: ").startswith(problem)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("nam: y", "nam: unknown key 'nam'. Near: `name`"),
        ("finally_: []", "finally_: unknown key 'finally_'. Near: `finally`."),
        ("description: 5", "description: must be text; quote it."),
        ("timeout: soon", "timeout: must be a duration"),
        ("finally: 5", "finally: must be a list."),
        ("env: HOME", "env: must be a list."),
        ("env: [1]", "env.0: must be text; quote it."),
        ("env: [a-b]", "env.0: a variable name has only letters, digits and _."),
        ("concurrency: 1", "concurrency: must be a mapping of keys to values: write `"),
        ("concurrency: {limit: 1}", "concurrency.key: is required."),
        ("concurrency: {key: ''}", "concurrency.key: must not be empty."),
        ("concurrency: {key: a, limit: 0}", "concurrency.limit: must be at least 1."),
        ("concurrency: {key: a, on_conflict: wait}", "concurrency.on_conflict: must be one of rej"),
        ("defaults: 1", "defaults: must be a mapping of keys to values."),
        ("defaults: {freind: a}", "defaults.freind: unknown key 'freind'. Near: `friend`."),
        ("defaults: {friend: 1}", "defaults.friend: must be text; quote it."),
        ("defaults: {retry: {}}", "defaults.retry.max: is required."),
        ("inputs: [a]", "inputs: must be a mapping of keys to values: write `"),
        ("inputs: {Day: {}}", "inputs.Day: use up to 40 lowercase letters, digits and `_`"),
        ("inputs: {a: 5}", "inputs.a: must be a mapping of keys to values: write `"),
        ("inputs: {a: {typ: int}}", "inputs.a.typ: unknown key 'typ'. Near: `type`."),
        ("inputs: {retry: {dely: 1}}", "inputs.retry.dely: unknown key 'dely'."),
        ("inputs: {on_error: 5}", "inputs.on_error: must be a mapping of keys to values: write `"),
        ("inputs: {a: {type: integer}}", "inputs.a.type: must be one of string, int, float, bool"),
        ("inputs: {a: {required: 1}}", "inputs.a.required: must be true or false."),
        ("inputs: {a: {min: [1]}}", "inputs.a.min: must be a number, or a date, time or duration"),
        ("inputs: {a: {max_length: 0}}", "inputs.a.max_length: must be greater than 0."),
        ("inputs: {a: {values: x}}", "inputs.a.values: must be a list."),
        ("inputs: {a: {from: 'env:'}}", "inputs.a.from: a secret comes from env:NAME, file:PATH"),
        ("inputs: {a: {from: keyring}}", "inputs.a.from: a secret comes from env:NAME, file:PATH"),
    ],
)  # fmt: skip
def test_a_wrong_value_of_the_header_is_reported_with_its_place(more: str, problem: str) -> None:
    [(line, found)] = problems_at(header(more))
    assert line == 3
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "name: is required."), ("name: 5\n", "name: must be text; quote it."),
     ("name: ''\n", "name: must not be empty."),
     (f"name: {'x' * 201}\n", "name: too long; the maximum number of characters is 200.")],
)  # fmt: skip
def test_a_document_has_a_name(name: str, problem: str) -> None:
    text = f"kimera: 1\n{name}steps:\n  - {{id: a, task: b}}\n"
    assert problems_at(text) == [(2 if name else 1, problem)]


# Several mistakes at once


def test_all_mistakes_are_reported_at_once_and_none_because_of_another() -> None:
    text = """\
kimera: 1
nmae: x
inputs:
  day: {type: dte, default: 2026-01-31}
  count: 5
steps:
  - id: fetch
    task: echo.value
    timeot: 5s
    kwargs: {day: "${{ inputs.dya }}", count: "${{ inputs.count }}"}
  - tsak: echo.value
    id: other
  - id: Work
    para:
      - {id: left, task: ecko.value}
      - {id: right, task: echo.value, when: {ref: steps.left.result, eq: 1}}
      - chian:
          - {id: inner, task: echo.value, retry: {delay: 1s}}
  - id: report
    task: echo.value
    kwargs: [1]
    on_error:
      - {id: alert, task: echo.value, args: ["${{ steps.inner.reslt }}"]}
"""
    expected = [
        (1, "name: is required."),
        (2, "nmae: unknown key 'nmae'. Near: `name`."),
        (4, "inputs.day.type: must be one of string, int, float, bool, date, datetime, duration,"),
        (5, "inputs.count: must be a mapping of keys to values: write `"),
        (9, "steps.0.timeot: unknown key 'timeot'. Near: `timeout`"),
        (10, "steps.0.kwargs.day: `inputs.dya`: there is no input `dya`. Near: `day`."),
        (
            11,
            "steps.1: a step needs exactly one of task, chain, para. Unknown key 'tsak'. Near: `t",
        ),
        (13, "steps.2.id: use up to 40 lowercase letters, digits and `_`, starting with a letter."),
        (15, "steps.2.para.0.task: no friend `ecko` is configured. Near: `echo`."),
        (16, "steps.2.para.1.when: `steps.left.result`: step `left` has not run by the time this"),
        (17, "steps.2.para.2: a step needs exactly one of task, chain, para. Unknown key 'chian'."),
        (17, "steps.2.para.2.id: is required."),
        (18, "steps.2.para.2.chian.0.retry.max: is required."),
        (21, "steps.3.kwargs: must be a mapping of keys to values: write `"),
        (23, "steps.3.on_error.0.args.0: `steps.inner.reslt`: has no `reslt`; choose one of"),
    ]
    found = problems_at(text, friends=True)
    for (line, problem), (wanted, begins) in zip(found, expected, strict=True):
        assert line == wanted
        assert problem.startswith(begins)


def test_each_problem_names_its_step() -> None:
    text = HEAD + "  - id: outer\n    chain:\n      - {id: inner, task: echo.value, x: 1}\n"
    [problem] = read_document(text, "f").problems
    assert (problem.step, problem.where) == ("inner", "steps.0.chain.0.x")


def test_what_the_rest_is_checked_against_is_needed_for_that() -> None:
    look_up = '\nsteps: [{id: a, task: b, args: ["${{ inputs.x }}"]}]'
    assert problems_at(f"kimera: 1\nname: x\ninputs: [x]{look_up}") == [
        (3, "inputs: must be a mapping of keys to values: write `inputs: {day: {type: date}}`.")
    ]
    assert problems_at(
        "kimera: 1\nname: x\ndefaults: echo\nsteps: [{id: a, task: b}]", friends=True
    ) == [(3, "defaults: must be a mapping of keys to values.")]


def test_of_thousands_of_mistakes_the_first_are_reported() -> None:
    found = problems_at(many(2000, lambda number: ", x: 1"))
    assert len(found) == 200
    assert found[0] == (4, "steps.0.x: unknown key 'x'.")
    assert found[-1] == (203, "steps.199.x: unknown key 'x'.")


# Caps


@pytest.mark.parametrize("levels", [39, 40])
def test_forty_levels_are_taken(levels: int) -> None:
    assert problems_at(nested(levels)) == []


def test_one_more_is_too_deep() -> None:
    [(line, problem)] = problems_at(nested(41))
    assert line == 4
    assert problem.endswith("chain.0: nested deeper than 40 levels.")


def test_two_thousand_steps_are_taken_and_one_more_is_refused() -> None:
    assert problems_at(many(2000)) == []
    assert problems_at(many(2001)) == [(3, "steps: 2,001 steps; at most 2,000 are allowed.")]
    with pytest.raises(ConfigError, match="2,001 steps"):
        read_formed(many(2001), "f")


def test_no_step_is_no_workflow_yet() -> None:
    text = "kimera: 1\nname: x\nsteps: []\n"
    assert problems_at(text) == [(3, "steps: there are no steps: add one.")]
    assert read_formed(text, "f").steps == []


# As errors


def test_a_checked_file_is_right_or_an_error_with_all_problems(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(HEAD + "  - {id: a, task: ech.value, args: 5}\n  - {id: a, task: echo.value}\n")
    with pytest.raises(ConfigError) as caught:
        read_checked(path, FRIENDS)
    assert str(caught.value) == f"{path}, line 4: steps.0.args: must be a list."
    assert caught.value.hint.splitlines() == [
        f"{path}, line 4: steps.0.task: no friend `ech` is configured. Near: `echo`.",
        f"{path}, line 5: steps.1.id: another step has the id `a`.",
    ]
    with pytest.raises(ConfigError, match=r"line 4: steps\.0\.args"):
        read_formed(path.read_text(), str(path))
