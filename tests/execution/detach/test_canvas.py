"""What keeps a run from the workers, and the messages that bring the rest of one to them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kimera_tui.errors import UsageError
from kimera_tui.execution.detach.blockers import Ground, find_blockers
from kimera_tui.execution.detach.canvas import Root, compiled, root_paths
from kimera_tui.execution.detach.remaining import rest_of
from kimera_tui.execution.planning import DocumentPlanner
from kimera_tui.execution.template_scope import Scope
from kimera_tui.runs.plan import Node
from kimera_tui.runs.state import begin
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import Withheld
from tests.execution.conftest import FRIENDS, document

from .canvas_bench import Bench

OWN = {"route": "own", "queue": "own", "broker": "redis://elsewhere"}
FRIENDS_NOW = {name: friend.as_mapping() for name, friend in FRIENDS.items()} | {"own": OWN}


def step(step_id: str, passing: str = "first", **more: Any) -> dict[str, Any]:
    return {"id": step_id, "task": "lab.got", "pass": passing, **more}


def para(step_id: str, *steps: Any, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "para": list(steps), **more}


def chain(step_id: str, *steps: Any, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "chain": list(steps), **more}


def plan(*steps: Any, **more: Any) -> Node:
    """A plan whose tasks have their steps' ids."""
    counted = itertools.count()
    planner = DocumentPlanner(lambda: f"t{next(counted)}")
    return planner.plan(document({"steps": list(steps), **more}))


def sentences(*steps: Any, joins: bool = True, known: Any = None, **more: Any) -> list[str]:
    found = find_blockers(
        plan(*steps, **more), Ground(FRIENDS_NOW, joins), known or (lambda path: None)
    )
    return [stop.sentence for stop in found]


def known_of(root_node: Node, results: dict[str, Any], **statuses: Status) -> Any:
    """What is known of a run whose steps have these results, or ended so."""
    states: dict[str, StepState] = {}
    for _, node in root_node.walk():
        if node.task is not None and node.id in {*results, *statuses}:
            state = begin(node.path, node.task, 0.0, node.id)
            status = statuses.get(node.id, Status.DONE)
            states[node.path] = StepState(**{
                name: getattr(state, name) for name in state.__slots__
            } | {"status": status, "result": results.get(node.id)})  # fmt: skip
    return states.get


PASSED_ON = "workers pass a result as the first argument, `pass: first`"
ALWAYS = {"ref": "inputs.n", "exists": True}
INPUTS: dict[str, Any] = {"inputs": {"n": {"type": "int", "default": 1}}}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([step("a", when=ALWAYS)], ["a: has `when`: workers do not evaluate conditions"]),
        (
            [step("a", retry={"max": 2})],
            ["a: has `retry`: workers retry only as the task's own code says"],
        ),
        ([step("a", retry={"max": 0})], []),
        (
            [step("a", start_timeout="5s")],
            ["a: has `start_timeout`: workers do not watch the queue"],
        ),
        ([step("a", timeout="5s", on_timeout="terminate", idempotent=True)], []),
        (
            [step("a", on_error="continue")],
            ["a: has `on_error: continue`: workers stop at a failed step"],
        ),
        (
            [chain("c", step("a"), on_error=[step("h")])],
            ["c: has `on_error` steps: workers do not run them"],
        ),
        (
            [para("p", step("a"), step("b"), fail="fast")],
            ["p: has `fail: fast`: workers do not revoke the other branches"],
        ),
        (
            [para("p", step("a"), step("b"), max_parallel=1)],
            ["p: has `max_parallel`: workers take all branches at once"],
        ),
        ([para("p", step("a"), step("b"), max_parallel=2)], []),
        ([step("a", "auto"), step("b")], []),
        ([para("p", step("a", "payload"), step("b", "auto"))], []),
        (
            [step("a"), para("p", step("b", "auto"), chain("c", step("d", "payload")))],
            [
                f"b: has `pass: auto`: {PASSED_ON}",
                f"d: has `pass: payload`: {PASSED_ON}",
            ],
        ),
        (
            [step("a"), step("b", "none", kwargs={"x": "${{ prev }}", "y": "${{ prev.z }}"})],
            ["b: looks up `prev`, which is not known yet"],
        ),
        (
            [step("a"), step("b"), step("c", args=["${{ steps.a.status }}"])],
            ["c: looks up `steps.a`, which is not known yet"],
        ),
        ([step("a", kwargs={"n": "${{ inputs.n }} ${{ run.id }}"})], []),
        (
            [para("p", step("a"), gather="dict"), step("b")],
            ["p: has `gather: dict`, but Celery passes a list"],
        ),
        ([para("p", step("a"), gather="dict"), step("b", "none")], []),
        ([step("a"), para("p", step("b"), gather="dict")], []),
        (
            [para("p", para("q", step("a"), step("b")), step("c")), step("d")],
            ["q: is a para whose results feed another para: Celery makes one list of all"],
        ),
        (
            [para("p", chain("c", step("x"), para("q", step("a"), step("b")))), step("d")],
            ["q: is a para whose results feed another para: Celery makes one list of all"],
        ),
        ([para("p", para("q", step("a"), step("b")), step("c"))], []),
        (
            [step("a"), step("b", task="own.got")],
            ["b: `own` has its own broker, which other workers do not use"],
        ),
    ],
)
def test_each_thing_that_a_canvas_cannot_express_blocks_it(steps: Any, expected: list[str]) -> None:
    assert sentences(*steps, **INPUTS) == expected


LAST: dict[str, Any] = {"finally": [step("z")]}


def test_finally_steps_and_backends_without_joins_block_it() -> None:
    assert sentences(step("a"), **LAST) == ["finally: workers do not notice the end of a run"]
    behind = [para("p", step("a"), step("b")), step("c")]
    assert sentences(*behind, joins=False) == [
        "p: has a step after it, and only a Redis result backend can join a para"
    ]
    assert sentences(step("a"), para("p", step("b"), step("c")), joins=False) == []


def test_all_blockers_are_listed_in_the_order_of_the_steps() -> None:
    found = sentences(
        step("a", retry={"max": 1}),
        chain("c", step("b", "auto", when=ALWAYS), when=ALWAYS),
        step("d", start_timeout="1s"),
        **INPUTS,
    )
    assert [sentence.partition(":")[0] for sentence in found] == ["a", "c", "b", "b", "d"]


def test_what_has_ended_stops_nothing_and_can_be_looked_up() -> None:
    steps = [
        step("a", retry={"max": 1}, when=ALWAYS),
        step("b", "auto", kwargs={"x": "${{ steps.a.result.n }}", "y": "${{ prev.n }}"}),
        step("c", kwargs={"z": "${{ steps.a.status }}"}),
    ]
    root_node = plan(*steps, **INPUTS)
    known = known_of(root_node, {"a": {"n": 7}})
    assert find_blockers(root_node, Ground(FRIENDS_NOW), known) == []
    roots = compiled(rest_of(root_node, known), FRIENDS_NOW, Scope(), "run")
    assert list(roots) == ["1"]
    assert roots["1"].kwargs == {"x": 7, "y": 7, "n": 7}
    assert roots["1"].options["chain"][0]["kwargs"] == {"z": "done"}


def test_what_ended_badly_keeps_the_rest() -> None:
    root_node = plan(para("p", step("a"), chain("c", step("b"), step("d"))))
    found = find_blockers(root_node, Ground(FRIENDS_NOW), known_of(root_node, {}, a=Status.FAILED))
    assert [stop.sentence for stop in found] == [
        "a: did not succeed, so the steps after it cannot run"
    ]


@pytest.mark.parametrize("more", [{}, {"on_error": "continue"}])
def test_null_is_not_sent_by_workers_in_place_of_a_result_that_is_unknown(more: Any) -> None:
    made = plan(step("a", **more), step("b", kwargs={"z": "${{ steps.a.status }}"}))
    known = known_of(made, {}, a=Status.RESULT_UNKNOWN)
    assert [each.sentence for each in find_blockers(made, Ground(FRIENDS_NOW), known)][:1] == [
        "a: ended and its result is unknown: workers would send null in its place"
    ]
    assert rest_of(made, known).steps["a"] == {"result": None, "status": "unknown"}


def test_a_para_that_is_half_done_keeps_what_takes_its_result() -> None:
    for passing, count in (("first", 1), ("none", 0)):
        root_node = plan(para("p", step("a"), step("b")), step("c", passing))
        found = find_blockers(root_node, Ground(FRIENDS_NOW), known_of(root_node, {"a": 1}))
        assert len(found) == count
    root_node = plan(para("p", step("a"), chain("x", step("b"), step("d"))), step("c"))
    known = known_of(root_node, {"b": 5})
    assert find_blockers(root_node, Ground(FRIENDS_NOW), known) == []
    roots = compiled(rest_of(root_node, known), FRIENDS_NOW, Scope(), "run")
    assert list(roots["0/1/1"].args) == [5]


def test_a_value_that_was_never_written_down_is_not_handed_over() -> None:
    root_node = plan(step("a"), step("b"), step("c", kwargs={"x": "${{ steps.a.result }}"}))
    known = known_of(root_node, {"a": {"token": Withheld("result.token")}})
    with pytest.raises(UsageError, match=r"Step 2 .*result\.token"):
        compiled(rest_of(root_node, known), FRIENDS_NOW, Scope(), "run")


def test_compiled_once_more_it_is_the_same() -> None:
    root_node = plan(para("p", step("a"), chain("x", step("b"), step("c"))), step("d"), step("e"))
    once, again = (compiled(rest_of(root_node), FRIENDS_NOW, Scope(), "run") for _ in range(2))
    assert once == again
    assert set(once) == set(root_paths(rest_of(root_node))) == {"0/0", "0/1/0"}
    (group,) = once["0/0"].joins
    assert once["0/0"].joins == {group: 2}
    other = compiled(rest_of(root_node), FRIENDS_NOW, Scope(), "another")
    assert group not in other["0/0"].joins


def test_signatures_have_the_form_of_celerys_own() -> None:
    root_node = plan(step("a"), step("b", "none", args=[1], kwargs={"x": 2}), step("c"))
    (root,) = compiled(rest_of(root_node), FRIENDS_NOW, Scope(), "run").values()
    assert root.options["chain"][-1] == {
        "task": "torture.got",
        "args": [1],
        "kwargs": {"x": 2},
        "options": {"task_id": "t1", "queue": "torture"},
        "subtask_type": None,
        "immutable": True,
    }
    assert [each["options"]["task_id"] for each in root.options["chain"]] == ["t2", "t1"]


def test_a_chain_of_thousands_is_one_message() -> None:
    root_node = plan(*(step(f"s{n}") for n in range(2000)))
    (root,) = compiled(rest_of(root_node), FRIENDS_NOW, Scope(), "run").values()
    assert len(root.options["chain"]) == 1999


# Celery's own canvas classes run what was compiled, whatever the shape.


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> dict[str, Any]:
    kind = draw(st.sampled_from(["task", "task", "chain", "para"] if depth else ["task"]))
    if kind == "task":
        return {"task": "lab.got", "pass": draw(st.sampled_from(["first", "first", "none"]))}
    return {kind: draw(st.lists(trees(depth - 1), min_size=1, max_size=3))}


def named(tree: dict[str, Any], numbers: Any) -> dict[str, Any]:
    tree = {"id": f"s{next(numbers)}", **tree}
    for kind in ("chain", "para"):
        if kind in tree:
            tree[kind] = [named(child, numbers) for child in tree[kind]]
    return tree


class Straight:
    """What each task gets when a plan is walked from its beginning to its end."""

    def __init__(self, root_node: Node) -> None:
        self.args: dict[str, list[Any]] = {}
        self.results: dict[str, Any] = {}
        self.order: list[str] = []
        self._walk(root_node, None)

    def _walk(self, node: Node, upstream: Any) -> Any:
        if node.task is not None:
            takes = upstream is not None and node.rules.passing != "none"
            args = [upstream] if takes else []
            self.args[node.task.task_id] = args
            self.results[node.id] = result = [node.task.task_id, args]
            self.order.append(node.id)
            return result
        if node.kind == "para":
            return [self._walk(child, upstream) for child in node.children]
        for child in node.children:
            upstream = self._walk(child, upstream)
        return upstream


@given(st.lists(trees(), min_size=1, max_size=4), st.integers(0, 12))
def test_every_task_is_run_once_with_what_it_would_have_got_here(
    steps: Sequence[dict[str, Any]], ended: int
) -> None:
    numbers = itertools.count()
    root_node = plan(*(named(tree, numbers) for tree in steps))
    straight = Straight(root_node)
    done = straight.order[:ended]
    known = known_of(root_node, {step_id: straight.results[step_id] for step_id in done})
    assume(not find_blockers(root_node, Ground(FRIENDS_NOW), known))
    rest = rest_of(root_node, known)
    assume(rest.items)
    roots = compiled(rest, FRIENDS_NOW, Scope(), "run")
    left = {node.task.task_id for _, node in root_node.walk() if node.task and node.id not in done}
    executed = run_by_celery(roots.values())
    assert sorted(task_id for task_id, _, _ in executed) == sorted(left)
    assert {task_id: args for task_id, args, _ in executed} == {
        task_id: straight.args[task_id] for task_id in left
    }


def run_by_celery(roots: Any) -> list[tuple[str, list[Any], dict[str, Any]]]:
    bench = Bench()
    for root in roots:
        assert isinstance(root, Root)
        bench.publish(root)
    return bench.run_all(lambda task_id, args, kwargs: [task_id, args])
