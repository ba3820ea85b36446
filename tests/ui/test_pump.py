"""The pump: whatever happens at once, the index has it all."""

from __future__ import annotations

import itertools
from typing import Any

from kimera_tui.documents.document import Document
from kimera_tui.execution.planning import DocumentPlanner
from kimera_tui.process import events as e
from kimera_tui.process.loop.bus import EventBus
from kimera_tui.runs.events import RunEnded, RunStarted
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.status import Status
from kimera_tui.ui.pump import Pump
from tests.ui.stage import NOON

STEPS = 10_000


async def test_a_big_run_that_ends_before_anything_of_it_is_folded_ends_as_it_did() -> None:
    ids = itertools.count()
    calls = [{"id": f"s{n}", "task": "calculator.add"} for n in range(STEPS)]
    document = Document.model_validate({"name": "big", "steps": [{"id": "all", "para": calls}]})
    plan = DocumentPlanner(lambda: f"task {next(ids)}").plan(document)
    bus, index, lost = EventBus(), RunIndex(), list[Any]()
    pump = Pump(bus, lambda events: index.apply_all(events) and None, lost.append)  # type: ignore[arg-type]
    bus.publish(RunStarted(at=NOON, run_id="run", name="big", plan=plan))
    for _, task in plan.leaves():
        where = {"task": "add", "friend": "calculator", "queue": "q"}
        bus.publish(e.Dispatched(at=NOON, task_id=task.task_id, **where))
        bus.publish(e.StateSeen(at=NOON, task_id=task.task_id, state="STARTED"))
        bus.publish(e.Succeeded(at=NOON, task_id=task.task_id, result=5))
    bus.publish(RunEnded(at=NOON, run_id="run"))
    pump.flush()
    assert {step.status for step in index.runs["run"].steps.values()} == {Status.DONE}
    assert lost == [0]
