"""The journal: syncs a second, a million events in, one run out, searches; and a journaled para."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ground import Ground, Lag, Stopwatch, manager, stub_worker
from kimera_tui.documents.calls import Para, Task, Workflow
from kimera_tui.execution.runner import Runner
from kimera_tui.process import events as e
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.events import RunEnded, RunStarted, StepIntended
from kimera_tui.runs.journal import queries
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.writer import JournalWriter
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.search.query import parse

STEPS = 100
PER_STEP = 10
BATCH = 1000


def run(place: Ground, scale: float) -> list[dict[str, Any]]:
    """Rows: what is measured and how much it is."""
    rows = _stored(place.folder / "bench" / "runs.db", int(1_000_000 * scale))
    with stub_worker(place):
        rows += [
            asyncio.run(_para(place, int(10_000 * scale), journaled)) for journaled in (False, True)
        ]
    return rows


def _stored(path: Path, events: int) -> list[dict[str, Any]]:
    store = JournalWriter(path, "bench")
    rows = [_syncs(store)]
    started = time.perf_counter()
    count, batch = 0, []
    for number in range(events // (STEPS * PER_STEP)):
        for event in _one_run(number):
            batch.append(event)
            if len(batch) == BATCH:
                store.write(batch, durable=False, now=number)
                count += len(batch)
                batch = []
    store.write(batch, durable=False, now=1.0)
    took = time.perf_counter() - started
    store.close()
    size = path.stat().st_size
    rows.append(_row("events in", f"{count / took:,.0f}/s", f"{count:,}; {size / 1e6:,.0f} MB"))
    db = sqlite3.connect(path)
    rows.append(_timed("one run out", lambda: queries.events_of_run(db, "run-5")))
    for line in ("", "state:failed", "exc:no task:step-7 -draft", "friend:lab since:30d"):
        search = parse(line)
        rows.append(
            _timed(f"search `{line}`", lambda what=search: queries.runs(db, what, 200, 1e6))
        )
    rows.append(_timed("usual duration", lambda: queries.usual(db, "lab", "step-7")))
    db.close()
    return rows


def _syncs(store: JournalWriter) -> dict[str, Any]:
    plan = Node("task", "0", task=PlannedTask("sync", "lab", "x"))
    store.write([RunStarted(at=0, run_id="sync", name="x", plan=plan)], durable=True, now=0)
    took = []
    for number in range(1000):
        intent = StepIntended(
            at=number, run_id="sync", path="0", task_id="sync", args=(1,), kwargs={"day": "x"}
        )
        called_at = time.perf_counter()
        store.write([intent], durable=True, now=0)
        took.append(time.perf_counter() - called_at)
    p99 = sorted(took)[989] * 1000
    note = f"p50 {statistics.median(took) * 1000:.2f} ms, p99 {p99:.2f} ms"
    return _row("synced transactions", f"{len(took) / sum(took):,.0f}/s", note)


def _one_run(number: int) -> list[Any]:
    ids = [f"{number:08}-{step:027}" for step in range(STEPS)]
    plan = Node(
        "chain",
        "",
        tuple(
            Node("task", str(step), task=PlannedTask(ids[step], "lab", f"step-{step % 20}", (1,)))
            for step in range(STEPS)
        ),
    )
    events: list[Any] = [
        RunStarted(at=number, run_id=f"run-{number}", name=f"report {number}", plan=plan)
    ]
    for step, task_id in enumerate(ids):
        base = {"at": number + step / 1000, "task_id": task_id}
        words = {"task": "lab.step", "friend": "lab", "queue": "q"}
        events += [
            StepIntended(
                at=number, run_id=f"run-{number}", path=str(step), task_id=task_id, args=(1,),
                kwargs={"day": "2026-01-01"},
            ),
            e.Sending(**base, **words, args=(1,), kwargs={"day": "2026-01-01"}),
            e.Dispatched(**base, **words),
            *(
                e.Polled(**base, attempt=attempt, state="", next_delay=0.2)
                for attempt in range(1, PER_STEP - 4)
            ),
            e.Failed(**base, error_type="OSError", error_message="no disk")
            if number % 10 == 0 and step == 50
            else e.Succeeded(**base, result={"rows": step}),
        ]  # fmt: skip
    return [*events, RunEnded(at=number + 1, run_id=f"run-{number}")]


async def _para(place: Ground, count: int, journaled: bool) -> dict[str, Any]:
    console = manager()
    journal = Journal(place.folder / "para" / "runs.db", SystemClock()) if journaled else None
    if journal is not None:
        journal.follow(console.events)
        await journal.open()
    runner = Runner(console, SystemClock(), journal=journal)
    for tasks in (500, count):  # the first run warms everything up
        steps = [Task(TaskParams("stub", "noop", args=[n], timeout=600)) for n in range(tasks)]
        async with Lag() as lag:
            with Stopwatch() as watch:
                run_id = runner.start(Workflow("bench", Para(steps)))
                await asyncio.wait_for(runner.result(run_id), 300)
            await asyncio.sleep(0.5)
    await console.aclose()
    if journal is not None:
        await journal.close()
    what = f"para of {count:,}, {'journaled' if journaled else 'not journaled'}"
    note = ", ".join(f"{name} {value} ms" for name, value in lag.ms().items())
    return _row(what, f"{watch.wall:.2f} s", f"CPU {watch.cpu:.2f} s, {note}")


def _timed(what: str, call: Callable[[], Any]) -> dict[str, Any]:
    call()
    took = []
    for _ in range(5):
        called_at = time.perf_counter()
        found = call()
        took.append(time.perf_counter() - called_at)
    note = f"{len(found)} found" if found is not None else ""
    return _row(what, f"{statistics.median(took) * 1000:.1f} ms", note)


def _row(what: str, how_much: str, note: str = "") -> dict[str, Any]:
    return {"what": what, "how much": how_much, "note": note}
