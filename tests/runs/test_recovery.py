"""The verdicts after a crash, row by row, and what the console says of them."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kimera_tui.errors import UsageError
from kimera_tui.process import TaskManager
from kimera_tui.process.adoption import Traces
from kimera_tui.process.task_search import Held, InQueue, Place, Whereabouts, WithWorker
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.recovery import Past, Recovery, Resumed, Verdict, judge, judge_all, recover
from kimera_tui.runs.state import begin

from .lab import Clock, dispatched, opened, sending, started

STEP = begin("0", PlannedTask("t", "lab", "step"), 0)
SENT = replace(STEP, sent_at=5.0)
INTENT = StepIntended(at=1, run_id="r", path="0", task_id="t", args=(), kwargs={}, server="s1")
NO_MARKER, MARKER = {"t": False}, {"t": True}
NOON, DAY = 1_700_000_000 // 86_400 * 86_400 + 43_200.0, 86_400.0
NOWHERE = Whereabouts()


@pytest.mark.parametrize(
    ("step", "traces", "what", "why"),
    [
        (STEP, Traces("s1", MARKER), "adopt", ""),
        (STEP, Traces("s1", NO_MARKER), "publish", ""),
        (STEP, Traces("s2", NO_MARKER), "uncertain", "nothing can tell whether it was sent"),
        (STEP, Traces("s2", MARKER), "adopt", ""),
        (STEP, Traces("s2", NO_MARKER, frozenset("t")), "adopt", ""),
        (STEP, Traces("", None), "uncertain", "cannot tell whether it arrived"),
        (STEP, Traces("", None, frozenset("t")), "adopt", ""),
        (SENT, Traces("", None), "adopt", ""),
        (SENT, Traces("", None, blind=frozenset("t")), "uncertain", "only the console"),
        (SENT, Traces("s1", MARKER), "adopt", ""),
        (SENT, Traces("s1", NO_MARKER, frozenset("t")), "adopt", ""),
        (SENT, Traces("s1", NO_MARKER), "uncertain", "has a trace of it"),
        (SENT, Traces("s2", NO_MARKER), "uncertain", "may be lost, or have run"),
    ],
)
def test_the_table(step: Any, traces: Traces, what: str, why: str) -> None:
    verdict = judge(step, INTENT, traces)
    assert verdict.what == what
    assert why in verdict.why


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (InQueue("reports", 3), "in queue reports, 3 ahead of it"),
        (InQueue("reports", 0), "in queue reports, next in line"),
        (WithWorker("w1@lab", runs=True), "with worker w1@lab"),
        (WithWorker("w1@lab", runs=False), "with worker w1@lab, not started yet"),
        (Held(NOON + 9_120, gone=True), "held by a worker that is gone: redelivered by 14:32"),
        (
            Held(NOON + 9_120, gone=False),
            "held by a worker that does not answer: redelivered by 14:32",
        ),
        (Held(NOON - 1, gone=True), "held by a worker that is gone: redelivered soon"),
    ],
)
@pytest.mark.parametrize(
    ("step", "traces"),
    [
        (STEP, Traces("s1", MARKER)),
        (SENT, Traces("s1", MARKER)),
        (SENT, Traces("s1", NO_MARKER)),
        (SENT, Traces("s2", NO_MARKER)),
    ],
)
def test_what_is_found_is_waited_for(step: Any, traces: Traces, place: Place, why: str) -> None:
    found = Whereabouts({"t": place}, doubt="no worker answered")
    assert judge(step, INTENT, traces, found, NOON) == Verdict("adopt", why)


@pytest.mark.parametrize(
    ("step", "traces", "found", "age", "what", "why"),
    [
        (SENT, Traces("s1", MARKER), None, 1, "adopt", ""),
        (SENT, Traces("s1", MARKER), Whereabouts(ended={"t"}), 1, "adopt", ""),
        (SENT, Traces("s1", MARKER), NOWHERE, 1, "uncertain", "one lost it, or the task stores no"),
        (STEP, Traces("s1", MARKER), NOWHERE, 1, "uncertain", "one lost it, or the task stores no"),
        (SENT, Traces("s1", MARKER), NOWHERE, DAY + 1, "uncertain", "its result has expired"),
        (SENT, Traces("s2", NO_MARKER), NOWHERE, 1, "uncertain", "may be lost, or have run"),
        (SENT, Traces("s1", NO_MARKER), NOWHERE, 1, "uncertain", "has a trace of it"),
        (STEP, Traces("s1", NO_MARKER), NOWHERE, 1, "publish", ""),
        (SENT, Traces("s1", MARKER), Whereabouts(doubt="no worker answered"), 2 * DAY,
         "adopt", "not found yet: no worker answered"),
    ],
)  # fmt: skip
def test_what_is_nowhere(
    step: Any, traces: Traces, found: Any, age: float, what: str, why: str
) -> None:
    verdict = judge(step, INTENT, traces, found, INTENT.at + age)
    assert verdict.what == what
    assert why in verdict.why
    assert bool(verdict.why) is bool(why)


def test_what_the_console_says() -> None:
    fine, asks = Resumed("a", "a"), Resumed("b", "b", 0, ["b: why."])
    assert Recovery().sentence == ""
    assert Recovery(elsewhere=["x"]).sentence == ""
    assert Recovery([fine]).sentence == "1 run was interrupted: 1 resumed."
    sentence = "3 runs were interrupted: 2 resumed, 1 needs you."
    assert Recovery([fine, fine, asks]).sentence == sentence
    assert Recovery([asks], [("c", "why")]).sentence == "2 runs were interrupted: 2 need you."


async def test_a_task_is_looked_for_in_the_queue_that_it_was_sent_to() -> None:
    looked: list[Any] = []

    async def traces(*_: Any) -> Traces:
        return Traces("s1", {"r-0": True})

    async def search(friend: str, task_ids: list[str], sent_to: set[str]) -> Whereabouts:
        looked.append((friend, task_ids, sent_to))
        return NOWHERE

    adoption = SimpleNamespace(traces=traces, search=search)
    past = Past.of([
        started(),
        StepIntended(at=1, run_id="r", path="0", task_id="r-0", args=(), kwargs={}, server="s1"),
        replace(sending("r-0"), queue="of-yesterday"),
        replace(dispatched("r-0"), queue="of-yesterday"),
    ])  # fmt: skip
    await judge_all(past, cast("TaskManager", SimpleNamespace(adoption=adoption, friends={})), 2)
    assert looked == [("lab", ["r-0"], {"of-yesterday"})]


async def test_a_run_that_cannot_go_on_keeps_no_other_from_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "runs.db"
    async with opened(path, Clock()) as (journal, _):
        for run_id in ("unreadable", "odd", "fine"):
            await journal.begin(started(run_id, profile="lab"))
        await journal.begin(started("strange", profile="another"))
    db = sqlite3.connect(path)
    db.execute("UPDATE event SET data = '{}' WHERE run = 1")
    db.commit()
    db.close()
    async with opened(path, Clock()) as (journal, _):

        async def resume(run_id: str) -> Resumed:
            await journal.take(run_id)
            if run_id == "odd":
                raise UsageError("Odd.")
            return Resumed(run_id, run_id)

        found = await recover(journal, resume, "lab")
    assert [run.run_id for run in found.adopted] == ["fine"]
    assert sorted(found.left) == [
        ("odd", "Odd."),
        ("strange", "It was started with another broker: another."),
        ("unreadable", "This run cannot be resumed: its start in the journal is unreadable."),
    ]
    assert found.elsewhere == []
