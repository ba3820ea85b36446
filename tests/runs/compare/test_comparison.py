"""Two runs side by side: which step is which, what differs, and where it begins to."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kimera_tui.process import events as e
from kimera_tui.redaction import MASK
from kimera_tui.runs.compare.align import Place, aligned
from kimera_tui.runs.compare.comparison import Comparison, compare
from kimera_tui.runs.compare.text import (
    NOTHING,
    comparison_lines,
    fact_of,
    facts_of,
    summary,
)
from kimera_tui.runs.compare.value_diff import Change
from kimera_tui.runs.events import RunEnded, RunStarted, StepRetried, StepReused, StepSkipped
from kimera_tui.runs.index import RunIndex, RunState
from kimera_tui.runs.plan import Node, PlannedTask, RetryRule, Rules
from kimera_tui.runs.status import Status
from kimera_tui.values.placeholders import TooLarge
from tests.runs.test_state import HISTORIES, START


def folded(*events: Any) -> RunState:
    index = RunIndex()
    index.apply_all(events)
    return next(iter(index.runs.values()))


def step(path: str, name: str, step_id: str = "", secret: str = "", **kwargs: Any) -> Node:
    task = PlannedTask(f"t{path}", "lab", name, (), kwargs, secret=frozenset(secret.split()))
    return Node("task", path, task=task, id=step_id)


def started(*steps: Node, at: float = 0, **fields: Any) -> RunStarted:
    fields = {"name": "daily", "run_id": "r", **fields}
    return RunStarted(at=at, plan=Node("chain", "", steps), **fields)


def ran(path: str, result: Any, at: float = 1, waited: float = 1, took: float = 2) -> list[Any]:
    """What happens to a step that ends well."""
    return [
        e.Dispatched(at=at, task_id=f"t{path}", task="lab.x", friend="lab", queue="q"),
        e.StateSeen(at=at + waited, task_id=f"t{path}", state="STARTED"),
        e.Succeeded(at=at + waited + took, task_id=f"t{path}", result=result),
    ]


def failed(path: str, message: str, at: float = 1) -> list[Any]:
    """What happens to a step that fails."""
    sent = e.Dispatched(at=at, task_id=f"t{path}", task="lab.x", friend="lab", queue="q")
    return [
        sent,
        e.Failed(at=at + 1, task_id=f"t{path}", error_type="ValueError", error_message=message),
    ]


def names(comparison: Comparison) -> set[tuple[str, str]]:
    """Which steps differ, whichever run is the first."""
    return {
        (pair.name, pair.one.path if pair.one else pair.other.path if pair.other else "")
        for pair in comparison.steps
        if pair.differs
    }


@given(HISTORIES)
def test_a_run_does_not_differ_from_itself(events: list[Any]) -> None:
    comparison = compare(folded(START, *events), folded(*copy.deepcopy([START, *events])))
    assert not comparison.differs
    assert summary(comparison) == NOTHING
    assert comparison.first is None


@given(HISTORIES, HISTORIES)
def test_the_same_steps_differ_the_other_way_round(one: list[Any], other: list[Any]) -> None:
    runs = folded(START, *one), folded(START, *other)
    there, back = compare(*runs), compare(*reversed(runs))
    assert names(there) == names(back)
    assert there.differs == back.differs
    assert len(comparison_lines(there)) == len(comparison_lines(back))


def test_times_are_reported_and_are_no_difference() -> None:
    begun = started(step("0", "load"))
    one = folded(begun, *ran("0", 1, waited=1, took=2), RunEnded(at=9, run_id="r"))
    other = folded(begun, *ran("0", 1, at=5, waited=4, took=1.5), RunEnded(at=12, run_id="r"))
    comparison = compare(one, other)
    (pair,) = comparison.steps
    assert (pair.waited_longer, pair.ran_longer) == (3, -0.5)
    assert not comparison.differs
    assert [fact.text for fact in facts_of(pair)] == [
        "state: done",
        "waited: 1.00 s → 4.00 s (+3.00 s)",
        "ran: 2.00 s → 1.50 s (-0.50 s)",
    ]


def test_the_first_step_that_differs_is_named() -> None:
    begun = started(step("0", "load"), step("1", "sum"), step("2", "mail"))
    good = folded(begun, *ran("0", 1), *ran("1", {"total": 5}), *ran("2", None))
    skipped = StepSkipped(at=9, run_id="r", path="2", because="sum failed")
    bad = folded(begun, *ran("0", 1), *failed("1", "no rows"), skipped)
    comparison = compare(good, bad)
    assert comparison.divergent == [1, 2]
    assert comparison.first is comparison.steps[1]
    assert comparison.steps[1].error == (Change("error", "added", new="ValueError: no rows"),)
    assert summary(comparison) == "2 of 3 steps differ, first lab.sum."
    assert "≠ lab.sum" in comparison_lines(comparison)


def test_results_and_payloads_are_reported_by_place() -> None:
    one = folded(started(step("0", "load", day="mon")), *ran("0", {"rows": [1, 2]}))
    other = folded(started(step("0", "load", day="tue")), *ran("0", {"rows": [1, 5]}))
    (pair,) = compare(one, other).steps
    assert pair.payload == (Change("kwargs.day", "changed", "mon", "tue"),)
    assert pair.result == (Change("result.rows[1]", "changed", 2, 5, 3),)


def test_arguments_that_were_never_filled_in_are_no_difference() -> None:
    begun = started(step("0", "load", rows="${{ steps.a.result }}"))
    sending = e.Sending(
        at=1, task_id="t0", task="lab.load", friend="lab", queue="q", args=(), kwargs={"rows": 3}
    )  # fmt: skip
    sent = folded(begun, sending, *ran("0", 1))
    skipped = folded(begun, StepSkipped(at=2, run_id="r", path="0", because="no"))
    assert compare(sent, skipped).steps[0].payload == ()


def test_a_reused_step_is_no_difference_however_often_it_was_tried() -> None:
    begun = started(step("0", "load"))
    retried = StepRetried(
        at=3, run_id="r", path="0", task_id="again", attempt=2, delay=0, because="x"
    )
    success = e.Succeeded(at=5, task_id="again", result=7)
    one = folded(begun, *ran("0", 1)[:2], retried, success)
    other = folded(begun, StepReused(at=1, run_id="r", path="0", from_run="p", result=7))
    comparison = compare(one, other)
    assert not comparison.differs
    assert "    state: done → done (reused)" in comparison_lines(comparison)
    once = compare(one, folded(begun, *ran("0", 7))).steps[0]
    assert once.differs
    assert "attempts: 2 → 1" in [fact.text for fact in facts_of(once)]


def test_steps_keep_their_ids_when_others_come_between() -> None:
    one = folded(started(step("0", "load", "load"), step("1", "mail", "mail")))
    other = folded(
        started(step("0", "load", "load"), step("1", "check", "check"), step("2", "mail", "mail"))
    )
    comparison = compare(one, other)
    assert [pair.name for pair in comparison.steps] == ["load", "check", "mail"]
    assert [pair.one is None for pair in comparison.steps] == [False, True, False]
    assert names(comparison) == {("check", "1")}
    assert "+ check" in comparison_lines(comparison)
    assert "- check" in comparison_lines(compare(other, one))


def test_a_step_with_another_name_is_the_same_if_it_does_the_same_at_the_same_place() -> None:
    one = [Place("a", "0", "t.a"), Place("b", "1", "t.b")]
    assert aligned(one, [Place("a", "0", "t.a"), Place("c", "1", "t.b")]) == [(0, 0), (1, 1)]
    assert aligned(one, [Place("a", "0", "t.a"), Place("c", "1", "t.c")]) == [
        (0, 0),
        (None, 1),
        (1, None),
    ]
    assert aligned(one, [Place("", "0", "t.z")]) == [(0, 0), (1, None)]


PLACES = st.lists(
    st.builds(Place, st.sampled_from(["", "a", "b", "c", "d"]), st.just(""), st.sampled_from("xy")),
    max_size=6,
).map(lambda places: [place._replace(path=str(at)) for at, place in enumerate(places)])


@given(PLACES, PLACES)
def test_every_step_of_both_runs_stands_once_in_the_table(
    one: list[Place], other: list[Place]
) -> None:
    pairs = aligned(one, other)
    assert [left for left, _ in pairs if left is not None] == list(range(len(one)))
    assert sorted(right for _, right in pairs if right is not None) == list(range(len(other)))
    turned = {(left, right) for right, left in aligned(other, one)}
    assert set(pairs) == turned


def test_inputs_and_the_workflow_are_compared_too() -> None:
    rules = Rules(retry=RetryRule(3), goes_on=True)
    header = {"description": "x", "inputs": [{"name": "day"}, {"name": "key", "type": "secret"}]}
    one = started(step("0", "load", "load"), inputs={"day": "mon", "key": "k1"}, header=header)
    other = started(
        replace(step("0", "load", "load"), rules=rules),
        inputs={"day": "tue", "key": "k2"},
        header={**header, "description": "y"},
        profile="elsewhere",
    )
    comparison = compare(folded(one), folded(other))
    assert comparison.inputs == (Change("inputs.day", "changed", "mon", "tue"),)
    assert comparison.workflow == (
        "sent to another broker",
        "description changed",
        "load: different retry, goes on",
    )
    assert comparison.differs
    assert not comparison.divergent
    assert summary(comparison) == "The steps are the same."


def test_another_shape_is_reported_in_a_few_words() -> None:
    one = started(step("0", "load"))
    para = RunStarted(at=0, run_id="p", name="daily", plan=Node("para", "", (step("0", "load"),)))
    assert compare(folded(one), folded(para)).workflow == (
        "its steps are arranged differently",
        "chain: different kind",
    )


def test_secrets_never_appear() -> None:
    def run(secret: str) -> RunState:
        begun = started(
            step("0", "load", pin=secret, token=secret, url=f"amqp://u:{secret}@h", secret="pin"),
            inputs={"key": secret},
            header={"inputs": [{"name": "key", "type": "secret"}]},
        )
        ended = RunEnded(at=9, run_id="r", error=f"Bearer {secret} at amqp://u:{secret}@h")
        return folded(begun, *failed("0", f"amqp://u:{secret}@h said no"), ended)

    comparison = compare(run("canary-one-00000"), run("canary-two-00000"))
    assert not comparison.differs
    other = compare(run("canary-one-00000"), folded(started(step("1", "other"))))
    for each in (comparison, other):
        assert "canary" not in repr(each)
        assert "canary" not in "\n".join(comparison_lines(each))
    assert MASK in repr(comparison)


def test_results_that_were_too_large_are_said_to_be_compared_by_their_size_only() -> None:
    begun = started(step("0", "load"))
    runs = [folded(begun, *ran("0", TooLarge(20 << 20))) for _ in range(2)]
    (pair,) = compare(*runs).steps
    assert not pair.differs
    assert facts_of(pair)[-1].text == ("result: not kept (too large: only its size is compared)")


def test_words_are_safe_for_a_terminal() -> None:
    evil = "\x1b]0;owned\x07[/bold]\u202e"
    begun = [started(step("0", evil, evil), name=evil, run_id=evil, inputs={evil: n}) for n in "ab"]
    one = folded(begun[0], *failed("0", evil))
    other = folded(begun[1], *ran("0", {evil: f"{evil}\n{evil}"}))
    third = folded(begun[1], *ran("0", {evil: f"{evil}\n"}))
    text = "".join(comparison_lines(compare(one, other)) + comparison_lines(compare(other, third)))
    assert text.isprintable()
    assert "\u202e" not in text


def test_what_was_not_looked_at_is_said_to_differ() -> None:
    assert fact_of(Change("result[9]", "differs")).text == ("result[9]: differs (too long to list)")


def test_a_run_that_is_open_has_no_time() -> None:
    comparison = compare(folded(started(step("0", "load"))), folded(started(step("0", "load"))))
    assert comparison.one.took is None
    assert comparison.one.status is Status.WAITING
    assert "open" in comparison_lines(comparison)[0]
