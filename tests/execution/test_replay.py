"""Plans of replays: what runs again, what is reused, what is missing."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.documents.document import Document
from kimera_tui.documents.dump import header_of
from kimera_tui.errors import UsageError
from kimera_tui.execution.planning import planner_of
from kimera_tui.execution.replay.plan import ReplayPlan, ReplayRequest, planned_replay
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.process import events as e
from kimera_tui.runs.events import (
    RunEnded,
    StepHandedOver,
    StepHeld,
    StepIntended,
    StepReused,
    StepSkipped,
)
from kimera_tui.runs.journal.plan_codec import plain_plan
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.values.placeholders import TooLarge, Withheld
from tests.runs.lab import sending, started, task

PLAN = Node(
    "chain",
    "",
    (
        task("0", "a"),
        Node("para", "1", (
            task("1/0", "b"),
            Node("chain", "1/1", (task("1/1/0", "c"), task("1/1/1", "d"))),
        )),
        task("2", "e"),
    ),
)  # fmt: skip


def past(**results: Any) -> list[Any]:
    """A run in which the tasks named have these results, and no other has one."""
    ends = [e.Succeeded(at=2, task_id=each, result=value) for each, value in results.items()]
    return [started("r", plan=PLAN), *ends, RunEnded(at=3, run_id="r")]


def plan(events: list[Any], mode: str, path: str = "", **overrides: Any) -> ReplayPlan:
    ids = (f"new-{n}" for n in itertools.count())
    request = ReplayRequest(mode, path, overrides.get("set", {}))
    return planned_replay(events, request, lambda: next(ids), {})


ALL = dict.fromkeys("abcde", 1)


def step(step_id: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "task": f"lab.{step_id}", **more}


def alone(step_id: str, **more: Any) -> dict[str, Any]:
    """A step that no result comes into."""
    return step(step_id, **{"pass": "none", **more})


def para(step_id: str, *steps: Any, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "para": list(steps), **more}


def document(steps: list[Any], **more: Any) -> Document:
    return Document.model_validate({"kimera": 1, "name": "x", "steps": steps, **more})


def done(of: Document, inputs: dict[str, Any] | None = None, not_needed: str = "") -> list[Any]:
    """A run of a document in which every step is done but those that were not needed."""
    ids = map(str, itertools.count())
    begun = started(
        "r",
        plan=planner_of({}, lambda: next(ids)).plan(of),
        header=header_of(of),
        inputs=inputs or {},
    )
    ends: list[Any] = []
    for _, node in begun.plan.walk():
        if node.task is not None and node.id in not_needed.split():
            ends.append(StepSkipped(at=2, run_id="r", path=node.path, because="", not_needed=True))
        elif node.task is not None:
            ends.append(e.Succeeded(at=2, task_id=node.task.task_id, result=node.id))
    return [begun, *ends, RunEnded(at=3, run_id="r")]


@pytest.mark.parametrize(
    ("results", "mode", "path", "will_run"),
    [
        (ALL, "again", "", ["0", "1/0", "1/1/0", "1/1/1", "2"]),
        (ALL, "from_failed", "", []),
        ({"a": 1, "b": 1, "c": 1}, "from_failed", "", ["1/1/1", "2"]),
        ({"a": 1, "b": 1}, "from_failed", "", ["1/1/0", "1/1/1", "2"]),
        (ALL, "from_step", "1/1/0", ["1/1/0", "1/1/1", "2"]),
        (ALL, "from_step", "2", ["2"]),
        (ALL, "from_step", "0", ["0", "1/0", "1/1/0", "1/1/1", "2"]),
        ({**ALL, "c": TooLarge(9 << 20)}, "from_failed", "", ["1/1/0", "1/1/1", "2"]),
        ({**ALL, "b": {"x": Withheld("result.x")}}, "from_failed", "", ["1/0", "2"]),
    ],
)
def test_what_runs(results: dict[str, Any], mode: str, path: str, will_run: list[str]) -> None:
    planned = plan(past(**results), mode, path)
    assert planned.will_run == will_run
    assert set(planned.reused) == {"0", "1/0", "1/1/0", "1/1/1", "2"} - set(will_run)
    assert planned.parent == "r"
    ids = [leaf.task_id for _, leaf in planned.plan.leaves()]
    assert len(set(ids)) == 5
    assert all(each.startswith("new-") for each in ids)


def test_new_arguments_run_their_step_and_what_it_feeds() -> None:
    planned = plan(past(**ALL), "from_failed", set={"1/1/0": {"day": "mon"}})
    assert planned.will_run == ["1/1/0", "1/1/1", "2"]
    assert planned.sentence == "will run 3, reuse 2"
    leaves = dict(planned.plan.leaves())
    assert leaves["1/1/0"].kwargs == {"day": "mon"}


def test_only_one_step_goes_as_it_was_sent() -> None:
    events = past(**ALL)
    events.insert(1, sending("e", 7, payload=8))
    planned = plan(events, "only_step", "2", set={"2": {"extra": 1}})
    [(path, only)] = planned.plan.leaves()
    assert (path, only.args, only.kwargs) == ("0", (7,), {"payload": 8, "extra": 1})
    assert planned.sentence == "will run 1"


DAY = document([step("a"), step("b", kwargs={"day": "${{ inputs.day }}"})], inputs={"day": {}})


@pytest.mark.parametrize(
    ("end", "because"),
    [
        (None, ""),
        (StepSkipped(at=2, run_id="r", path="1", because="upstream a failed"), "upstream a failed"),
        (e.Refused(at=2, task_id="1", reason="`prev`: no."), "`prev`: no"),
        (StepHeld(at=2, run_id="r", path="1", because="needs token again"), "needs token again"),
        (StepReused(at=2, run_id="r", path="1", from_run="q", result=1), "reused from run q"),
    ],
)
def test_a_step_that_was_never_sent_is_not_sent_alone(end: Any, because: str) -> None:
    begun, *_ = done(DAY, {"day": "mon"})
    events = [begun, *([end] if end else []), RunEnded(at=3, run_id="r")]
    for more in ({}, {"b": {"x": 1}}):
        with pytest.raises(UsageError, match="`b` was never sent in this run") as raised:
            plan(events, "only_step", "b", set=more)
        assert because in str(raised.value)


def test_only_one_step_goes_with_what_was_about_to_be_sent_at_its_last_try() -> None:
    begun, *_ = done(DAY, {"day": "mon"})
    first, last = (
        StepIntended(at=2, run_id="r", path="1", task_id=task_id, args=(), kwargs={"day": day})
        for task_id, day in (("1", "mon"), ("2", "tue"))
    )
    planned = plan([begun, first, last, RunEnded(at=3, run_id="r")], "only_step", "b")
    [(_, only)] = planned.plan.leaves()
    assert (only.kwargs, planned.plan.rules.templated) == ({"day": "tue"}, False)
    handed = StepHandedOver(at=3, run_id="r", path="1", args=(7,), kwargs={})
    planned = plan([begun, handed, RunEnded(at=3, run_id="r")], "only_step", "b")
    assert next(planned.plan.leaves())[1].args == (7,)


def test_a_secret_of_one_step_is_fetched_again_only_from_where_it_still_is() -> None:
    kwargs = {"key": "${{ inputs.key }}", "token": "${{ steps.a.result.token }}"}
    of = document([step("a"), step("b", kwargs=kwargs)], inputs={"key": {"type": "secret"}})
    begun, *_ = done(of)
    sent = StepIntended(
        at=2, run_id="r", path="1", task_id="1", args=(),
        kwargs={"key": Withheld("kwargs.key"), "token": Withheld("kwargs.token"), "x": "${{"},
    )  # fmt: skip
    planned = plan([begun, sent, RunEnded(at=3, run_id="r")], "only_step", "b")
    [(_, only)] = planned.plan.leaves()
    assert only.kwargs["key"] == "${{ inputs.key }}"
    assert only.kwargs["x"] == "$${{"
    assert planned.needs == ["Step 0 (b) needs token again."]


def test_an_input_that_was_not_written_down_is_needed_again_and_not_left_at_its_default() -> None:
    of = document([step("a", args=["${{ inputs.token }}"])], inputs={"token": {"default": "no"}})
    events = done(of, {"token": Withheld("inputs.token")})
    for mode in ("again", "from_failed"):
        planned = planned_replay(events, ReplayRequest(mode), lambda: "new", {})
        assert planned.needs == ["Input token was not saved: supply it again."]
        request = ReplayRequest(mode, run_inputs=RunInputs({"token": "yes"}))
        planned = planned_replay(events, request, lambda: "new", {})
        assert (planned.needs, planned.inputs) == ([], {"token": "yes"})


@pytest.mark.parametrize("mode", ["again", "from_failed", "only_step"])
@pytest.mark.parametrize("kwargs", [{}, {"day": "${{ inputs.day }}"}])
def test_a_new_argument_that_is_declared_secret_is_not_written_down(
    mode: str, kwargs: dict[str, Any]
) -> None:
    params = {"pin": {"secret": True}, "other": {"secret": True}}
    friends = {"lab": {"route": "l", "queue": "l", "tasks": {"b": {"params": params}}}}
    events = done(document([step("a"), step("b", kwargs=kwargs)], inputs={"day": {}}))
    events.insert(1, sending("1"))
    request = ReplayRequest(mode, "b", {"b": {"pin": "483920", "x": 1}})
    planned = planned_replay(events, request, lambda: "new", friends)
    (last,) = [task for _, task in planned.plan.leaves() if task.task_name == "b"]
    assert (last.kwargs["pin"], last.secret) == ("483920", frozenset({"pin"}))
    written = plain_plan(planned.plan, Packer())
    assert "483920" not in str(written)
    assert "'x': 1" in str(written)


def test_a_secret_is_needed_again_only_where_it_is_sent() -> None:
    secret = PlannedTask("a", "lab", "login", (), {"token": Withheld("kwargs.token")})
    tree = Node("chain", "", (Node("task", "0", task=secret), task("1", "b")))
    events = [
        started("r", plan=tree),
        e.Succeeded(at=2, task_id="a", result=1),
        RunEnded(at=3, run_id="r"),
    ]
    assert plan(events, "again").needs == ["Step 0 (login) needs token again."]
    assert plan(events, "from_failed").needs == []
    assert plan(events, "again", set={"0": {"token": "new"}}).needs == []


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="No such run"):
        plan([], "again")
    with pytest.raises(UsageError, match="Unknown replay mode `backwards`; choose from again,"):
        plan(past(), "backwards")
    with pytest.raises(UsageError, match="no step `9`"):
        plan(past(), "from_step", "9")
    with pytest.raises(UsageError, match="no step `9`"):
        plan(past(), "again", set={"9": {}})
    single = [started("r", plan=task("", "a")), RunEnded(at=3, run_id="r")]
    for mode in ("from_step", "only_step"):
        with pytest.raises(UsageError) as caught:
            plan(single, mode, "nothere")
        assert str(caught.value) == ("The run has no step `nothere`; its only step is `0`.")
    assert plan(single, "from_step", "0").will_run == [""]
    assert plan(single, "again", set={"0": {"a": 1}}).plan.task.kwargs == {"a": 1}  # type: ignore[union-attr]


# With another file, or with other inputs


def ids_that_run(events: list[Any], request: ReplayRequest) -> list[str]:
    planned = planned_replay(events, request, lambda: "new", {})
    ids = {node.path: node.id for _, node in planned.plan.walk()}
    assert set(planned.will_run).isdisjoint(planned.reused)
    return [ids[path] for path in planned.will_run]


def runs_again(before: list[Any], after: list[Any], not_needed: str = "") -> list[str]:
    """Ids of the steps that run once a file was edited, all of whose steps were done."""
    request = ReplayRequest("from_failed", document=document(after))
    return ids_that_run(done(document(before), not_needed=not_needed), request)


A, N, B, Z = step("a"), step("n"), step("b"), step("z")
LEFT, RIGHT = alone("left"), alone("right")
LOOKS = alone("looks", kwargs={"x": "${{ steps.p.result }}"})
IF_A = {"ref": "steps.a.result", "eq": "a"}


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ([A, N, B, Z], [A, N, B, Z], []),
        ([A, N, B, Z], [A, B, Z], ["b", "z"]),
        ([A, B, Z], [A, N, B, Z], ["n", "b", "z"]),
        ([A, B, Z], [B, A, Z], ["b", "a", "z"]),
        ([A, B, Z], [step("b", **{"pass": "first"}), Z], ["b", "z"]),
        ([A, B, Z], [A, {"id": "c", "chain": [B]}, Z], []),
        ([A, {"id": "c", "chain": [N, B]}, Z], [A, {"id": "c", "chain": [B]}, Z], ["b", "z"]),
        ([A, {"id": "c", "chain": [N, B]}, Z], [A, N, B, Z], []),
        ([LEFT, RIGHT, Z], [RIGHT, LEFT, Z], ["z"]),
        ([para("p", LEFT, RIGHT), Z, LOOKS], [para("p", LEFT, RIGHT), Z, LOOKS], []),
        (
            [para("p", LEFT, RIGHT), Z, LOOKS],
            [para("p", LEFT, RIGHT, gather="dict"), Z, LOOKS],
            ["z", "looks"],
        ),
        (
            [para("p", LEFT, RIGHT), Z, LOOKS],
            [para("p", RIGHT, LEFT), Z, LOOKS],
            ["z", "looks"],
        ),
        ([para("p", LEFT, RIGHT), Z], [para("p", LEFT), Z], ["z"]),
        ([A, para("p", B, N), Z], [A, para("p", N, B), Z], ["z"]),
        ([A, para("p", B, N), Z], [LEFT, para("p", B, N), Z], ["left", "b", "n", "z"]),
        ([{"id": "p", "chain": [A, B]}, LOOKS], [{"id": "p", "chain": [A]}, LOOKS], ["looks"]),
        ([alone("p"), LOOKS], [{"id": "p", "chain": [alone("q")]}, LOOKS], ["q", "looks"]),
        ([alone("a", args=[1]), Z], [alone("a", args=[True]), Z], ["a", "z"]),
        ([alone("a", args=[1]), Z], [alone("a", args=[1.0]), Z], ["a", "z"]),
        ([A, alone("b", kwargs={"x": [0]})], [A, alone("b", kwargs={"x": [False]})], ["b"]),
    ],
)
def test_a_step_of_another_file_is_reused_only_if_the_same_comes_in(
    before: list[Any], after: list[Any], again: list[str]
) -> None:
    assert runs_again(before, after) == again


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ([A, alone("b", when=IF_A), Z], [A, alone("b", when=IF_A), Z], []),
        ([A, alone("b", when=IF_A), Z], [A, alone("b"), Z], ["b", "z"]),
        ([A, alone("b", when=IF_A), Z], [A, alone("b", when={**IF_A, "eq": 1}), Z], ["b", "z"]),
        (
            [A, {"id": "c", "when": IF_A, "chain": [alone("b")]}, Z],
            [A, {"id": "c", "chain": [alone("b")]}, Z],
            ["b", "z"],
        ),
        (
            [A, {"id": "c", "when": IF_A, "chain": [alone("b")]}, Z],
            [A, alone("b"), Z],
            ["b", "z"],
        ),
        (
            [A, N, alone("b", when={"ref": "prev", "eq": 1})],
            [A, alone("b", when={"ref": "prev", "eq": 1})],
            ["b"],
        ),
    ],
)
def test_a_step_under_another_condition_is_neither_reused_nor_left_out(
    before: list[Any], after: list[Any], again: list[str]
) -> None:
    assert runs_again(before, after) == again
    assert runs_again(before, after, not_needed="b") == again


IF_INPUT = {"ref": "inputs.n", "eq": 1}


@pytest.mark.parametrize("not_needed", ["", "b"])
@pytest.mark.parametrize(
    ("steps", "again"),
    [
        ([A, alone("b", when=IF_INPUT), Z], ["b", "z"]),
        ([A, {"id": "c", "when": IF_INPUT, "chain": [alone("b")]}, Z], ["b", "z"]),
        ([alone("a", args=["${{ inputs.n }}"]), alone("b", when={"ref": "prev", "eq": 1}), Z],
         ["a", "b", "z"]),
        ([A, alone("b", when={"ref": "inputs.m", "eq": 1}), Z], []),
    ],
)  # fmt: skip
def test_a_new_input_runs_what_is_under_a_condition_that_looks_it_up(
    steps: list[Any], again: list[str], not_needed: str
) -> None:
    inputs = {"n": {"type": "json"}, "m": {"type": "json"}}
    events = done(document(steps, inputs=inputs), {"n": 1, "m": 1}, not_needed)
    assert (
        ids_that_run(events, ReplayRequest("from_failed", run_inputs=RunInputs({"n": True})))
        == again
    )
    assert ids_that_run(events, ReplayRequest("from_failed", run_inputs=RunInputs({"n": 1}))) == []


TREE = st.recursive(
    st.none(),
    lambda inner: st.tuples(st.sampled_from(["chain", "para"]), st.lists(inner, min_size=1)),
    max_leaves=3,
)
"""Nothing for a task; else the kind of a group, and what is in it."""
LOOKED_UP = ("prev", *(f"steps.{name}.result" for name in ("a", "b", "c", "p0", "p1")))


@st.composite
def files(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some tasks in a tree of chains and paras; any may look up any other part."""
    tasks, groups = iter(draw(st.permutations("abcdef"))), map("p{}".format, itertools.count())

    def part(tree: Any) -> dict[str, Any]:
        looked_at = draw(st.sampled_from(["", "", "", "", *LOOKED_UP]))
        more = {"when": {"ref": looked_at, "exists": True}} if looked_at else {}
        if tree is None:
            looked_up = draw(st.sampled_from(["", "", *LOOKED_UP]))
            more["args"] = [  # type: ignore[assignment]
                f"${{{{ {looked_up} }}}}" if looked_up else draw(st.sampled_from([1, True]))
            ]
            more["pass"] = draw(st.sampled_from(["auto", "none"]))
            return step(next(tasks), **more)
        kind, below = tree
        if kind == "para":
            more["gather"] = draw(st.sampled_from(["list", "dict"]))
        return {"id": next(groups), kind: [part(each) for each in below], **more}

    return [part(tree) for tree in draw(st.lists(TREE, min_size=1, max_size=2))]


def meanings(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """What each part comes to: how its result is made, all the way down."""
    known: dict[str, Any] = {}

    def found(of: str, before: Any) -> Any:
        return before if of == "prev" else known.get(of.split(".")[1])

    def in_turn(parts: list[dict[str, Any]], before: Any, under: Any) -> Any:
        for each in parts:
            before = one(each, before, under)
        return before

    def one(part: dict[str, Any], before: Any, under: Any) -> Any:
        if when := part.get("when"):
            under = [*under, [when["ref"], found(when["ref"], before)]]
        if "chain" in part:
            result = in_turn(part["chain"], before, under)
        elif "para" in part:
            branches = {each["id"]: one(each, before, under) for each in part["para"]}
            result = branches if part["gather"] == "dict" else list(branches.values())
        else:
            [arg] = part["args"]
            filled = found(arg[4:-3], before) if isinstance(arg, str) else repr(arg)
            fed = before if part["pass"] != "none" else ""
            result = [part["id"], part["pass"], filled, fed, under]
        known[part["id"]] = result
        return result

    in_turn(steps, None, [])
    return known


@given(files(), files())
def test_what_is_reused_of_another_file_is_made_of_the_same(
    before: list[dict[str, Any]], after: list[dict[str, Any]]
) -> None:
    past, now = meanings(before), meanings(after)
    request = ReplayRequest("from_failed", document=document(after))
    planned = planned_replay(done(document(before)), request, lambda: "new", {})
    for each in planned.reused.values():
        assert now[each.id] == past[each.id]
    assert not planned_replay(done(document(after)), request, lambda: "new", {}).will_run


def test_one_step_is_sent_with_other_positional_arguments() -> None:
    sent = sending("e", 4, b=5)
    request = ReplayRequest("only_step", "2", {"2": {"b": 7}}, args={"2": [9]})
    planned = planned_replay([*past(**ALL), sent], request, lambda: "new", {})
    assert planned.payload is not None
    assert (planned.payload.args, planned.payload.kwargs) == ((9,), {"b": 7})
    ((_, call),) = planned.plan.leaves()
    assert (call.args, call.kwargs) == ((9,), {"b": 7})


def test_a_step_with_other_positional_arguments_runs_again_with_what_it_feeds() -> None:
    request = ReplayRequest("from_failed", args={"1/1/0": [9]})
    planned = planned_replay(past(**ALL), request, lambda: "new", {})
    assert planned.will_run == ["1/1/0", "1/1/1", "2"]
    assert dict(planned.plan.leaves())["1/1/0"].args == (9,)
