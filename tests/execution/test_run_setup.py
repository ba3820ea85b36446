"""How runs begin: also those that replay another one."""

from __future__ import annotations

import itertools
from typing import Any

from kimera_tui.documents.document import Document
from kimera_tui.documents.dump import header_of
from kimera_tui.execution.planning import planner_of
from kimera_tui.execution.replay.plan import ReplayRequest, planned_replay
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.execution.run_setup import replay_of
from kimera_tui.runs.events import RunStarted

from .conftest import document

REGIONAL: dict[str, Any] = {
    "inputs": {"region": {"type": "string", "default": "eu"}},
    "concurrency": {"key": "orders-${{ inputs.region }}"},
    "steps": [{"id": "load", "task": "lab.give"}],
}


def begun(doc: Document) -> RunStarted:
    ids = (f"old-{n}" for n in itertools.count())
    return RunStarted(
        at=1,
        run_id="old",
        name=doc.name,
        plan=planner_of({}, lambda: next(ids)).plan(doc),
        inputs={"region": "eu"},
        header=header_of(doc),
        concurrency="orders-eu",
    )


def replayed(request: ReplayRequest) -> RunStarted:
    past = begun(document(REGIONAL))
    ids = (f"new-{n}" for n in itertools.count())
    planned = planned_replay([past], request, lambda: next(ids), {})
    return replay_of(past, planned, request, 2, "new", "lab")


def test_a_replay_shares_the_key_that_its_own_inputs_make() -> None:
    again = replayed(ReplayRequest("again"))
    assert (again.concurrency, again.parent) == ("orders-eu", "old")
    other = replayed(ReplayRequest("again", run_inputs=RunInputs({"region": "us"})))
    assert other.concurrency == "orders-us"


def test_a_replay_of_a_changed_file_follows_that_file() -> None:
    limit = {"key": "all", "limit": 3}
    changed = replayed(
        ReplayRequest("again", document=document({**REGIONAL, "concurrency": limit}))
    )
    assert (changed.concurrency, changed.limit) == ("all", 3)
    plain = {key: value for key, value in REGIONAL.items() if key != "concurrency"}
    free = replayed(ReplayRequest("again", document=document(plain)))
    assert (free.concurrency, free.limit) == ("", 1)
