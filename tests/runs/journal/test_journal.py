"""The journal: what it keeps, in which order, what it never holds, and how it says no."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import resource
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from kimera_tui.errors import JournalError, RunRefused, RunTaken, UsageError
from kimera_tui.process import events as e
from kimera_tui.runs.events import (
    RunAdopted,
    RunCancelled,
    RunDetached,
    RunEnded,
    RunStarted,
    StepDecided,
    StepIntended,
)
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.file_errors import unusable
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.journal.migrations import APPLICATION_ID, MIGRATIONS, VERSION
from kimera_tui.runs.journal.queries import events_of_run
from kimera_tui.runs.journal.summaries import run_summary, step_row
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.journal.writer import JournalWriter
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.values.placeholders import TooLarge, Withheld, is_whole
from tests.runs.lab import Clock, chain, dispatched, opened, sending, started, task, whole_run
from tests.runs.test_state import HISTORIES, IDS, PLAN, summary

from .disks import fill, make_read_only, small_disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "runs.db"


def folded(events: list[Any]) -> RunIndex:
    index = RunIndex()
    index.apply_all(events)
    return index


INTENTS = [
    StepIntended(at=0, run_id="r", path=str(n), task_id=IDS[n], args=(1,), kwargs={"a": 1})
    for n in range(3)
]


@example([e.Resent(at=1.0, task_id="t0"), e.TimedOut(at=1.0, task_id="t0", seconds=3)])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HISTORIES)
def test_a_run_from_the_journal_is_the_run_that_was_seen_live(
    tmp_path: Path, history: list[Any]
) -> None:
    path = tmp_path / "runs.db"
    path.unlink(missing_ok=True)
    begun = RunStarted(at=0, run_id="r", name="run", plan=PLAN)
    writer = JournalWriter(path, "me")
    writer.write([begun, *INTENTS], durable=True, now=0)
    for start in range(0, len(history), 7):
        writer.write(history[start : start + 7], durable=False, now=0)
    read = events_of_run(writer._db, "r")
    assert summary(folded(read)) == summary(folded([begun, *INTENTS, *history]))
    run = folded(read).runs["r"]
    row = writer._db.execute("SELECT status, done, total, ended, error FROM run").fetchone()
    assert row == run_summary(run, Packer())
    rows = writer._db.execute("SELECT path, status, sent, began, ended, error FROM step")
    assert {each[0]: each for each in rows} == {
        step.path: step_row(step, Packer()) for step in run.steps.values()
    }
    writer.close()


async def test_facts_that_are_waited_for_come_after_what_happened_before(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
        kinds = [type(event).__name__ for event in await journal.events_of("r")]
    once = ["StepIntended", "Sending", "Dispatched", "Succeeded"]
    assert kinds == ["RunStarted", *once * 3, "RunEnded"]


async def test_a_result_is_on_disk_when_keep_result_returns(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        begun = started()
        await journal.begin(begun)
        await journal.intend("r", [("0", "r-0", (), {})])
        bus.publish(sending("r-0"))
        await journal.keep_result("r", "0", "r-0", {"answer": 42})
        other = sqlite3.connect(path)
        kinds = [row[0] for row in other.execute("SELECT kind FROM event ORDER BY seq")]
        assert kinds == ["RunStarted", "StepIntended", "Sending", "ResultKept"]
        other.close()
        step = folded(await journal.events_of("r")).runs["r"].steps["0"]
        assert (step.status.value, step.result) == ("done", {"answer": 42})


async def test_one_success_is_written_once_with_the_time_at_which_it_was_announced(
    path: Path,
) -> None:
    clock = Clock(at=50.0)
    async with opened(path, clock) as (journal, bus):
        await journal.begin(started())
        bus.publish(e.Succeeded(at=40, task_id="r-0", result=1))
        await journal.keep_result("r", "0", "r-0", 1)
        bus.publish(e.Succeeded(at=41, task_id="r-1", result=2))
        await journal.flush()
        await journal.keep_result("r", "1", "r-1", 2)  # whose success is in the file already
        events = await journal.events_of("r")
    summary = [(type(event).__name__, event.at) for event in events[1:]]
    assert summary == [("Succeeded", 40), ("Succeeded", 41), ("ResultKept", 50)]
    assert [step.ended_at for step in folded(events).runs["r"].steps.values()] == [40, 41, None]


async def test_values_come_back_as_what_they_were(path: Path) -> None:
    import datetime
    import decimal
    import uuid

    result = {
        "when": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
        "day": datetime.date(2026, 1, 2),
        "sum": decimal.Decimal("1.10"),
        "id": uuid.UUID(int=5),
        "raw": b"\x00\xff",
        "odd": {1: "one", "$size": "mine", "$x": (1, {2})},
        "far": float("inf"),
        "text": "\ud800 ␛",
    }
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, result, [1, (2, 3)], None)
        run = folded(await journal.events_of("r")).runs["r"]
    assert run.steps["0"].result == result
    assert run.steps["1"].result == [1, (2, 3)]
    assert run.steps["2"].result is None


CANARIES = ["canary-parameter", "canary-password", "canary-url-pw", "canary-nested", "canary-token"]


async def test_no_secret_is_in_the_file(path: Path) -> None:
    planned = PlannedTask(
        "t0",
        "lab",
        "login",
        ("redis://me:canary-url-pw@host/0", {"api_key": "canary-nested"}),
        {"pin": "canary-parameter", "password": "canary-password", "name": "Ann"},
        secret=frozenset({"pin"}),
    )
    plan = Node("chain", "", (Node("task", "0", task=planned), task("1", "t1")))
    async with opened(path, Clock()) as (journal, bus):
        begun = started(plan=plan, name="run of canary-parameter")
        bus.publish(begun)
        await journal.begin(begun)
        await journal.intend("r", [("0", "t0", planned.args, planned.kwargs)], planned.secret)
        bus.publish(sending("t0", *planned.args, **planned.kwargs))
        bus.publish(e.StateSeen(at=3, task_id="t0", state="LOGIN", meta="as canary-parameter"))
        bus.publish(e.Polled(at=3, task_id="t0", attempt=1, state="x", next_delay=1))
        result = {"token": "canary-token", "said": "hello canary-password"}
        await journal.keep_result("r", "0", "t0", result)
        bus.publish(
            e.Failed(
                at=4,
                task_id="t1",
                error_type="ValueError",
                error_message="bad token canary-token",
                traceback="raise ValueError('canary-password', 'canary-url-pw')",
            )
        )
        bus.publish(RunEnded(at=5, run_id="r", error="it said canary-nested"))
        await journal.flush()
        bytes_ = b"".join(each.read_bytes() for each in path.parent.iterdir())
        events = await journal.events_of("r")
    bytes_ += path.read_bytes()
    for canary in CANARIES:
        assert canary.encode() not in bytes_
        assert canary not in repr(events)
    step = folded(events).runs["r"].steps["0"]
    assert isinstance(step.kwargs["pin"], Withheld)
    assert step.kwargs["pin"].why == "needs pin again"
    assert step.kwargs["name"] == "Ann"
    assert step.args[0] == "redis://me:••••@host/0"
    assert not is_whole(step.args[0])
    assert not is_whole(step.result)
    assert step.result["said"] == "hello ••••"


async def test_a_result_over_the_cap_is_reported_by_its_size(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, "x" * 9_000_000, "y" * 100_000)
        run = folded(await journal.events_of("r")).runs["r"]
    kept = run.steps["0"].result
    assert isinstance(kept, TooLarge)
    assert kept.why == "its result was not kept (8.6 MiB)"
    assert run.steps["1"].result == "y" * 100_000


async def test_long_waits_keep_the_last_poll_and_not_all(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        for attempt in range(1, 1001):
            bus.publish(
                e.Polled(at=2, task_id="r-0", attempt=attempt, state="", next_delay=attempt)
            )
        bus.publish(e.StateSeen(at=3, task_id="r-0", state="RETRY"))
        events = await journal.events_of("r")
    polls = [event for event in events if isinstance(event, e.Polled)]
    assert len(polls) == 8 + 6 + 1
    step = folded(events).runs["r"].steps["0"]
    assert step.polls == 1000


async def test_a_console_that_ends_within_a_wait_keeps_the_last_poll_too(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        for attempt in range(1, 101):
            bus.publish(
                e.Polled(at=2, task_id="r-0", attempt=attempt, state="", next_delay=attempt)
            )
    async with opened(path, Clock()) as (journal, _):
        step = folded(await journal.events_of("r")).runs["r"].steps["0"]
        assert step.polls == 100
        assert [run.owner for run in await journal.open_runs()] == [""]


async def test_files_are_private(path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(path, Clock()) as (journal, _):
            await journal.begin(started())
            for each in path.parent.iterdir():
                assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
    assert [each.name for each in path.parent.iterdir()] == ["runs.db"]


async def refusal(path: Path) -> str:
    """What is said when a run is begun; nothing may be sent then."""
    journal = Journal(path, Clock())
    await journal.open()
    with pytest.raises(JournalError) as refused:
        await journal.begin(started())
    assert journal.problem == refused.value.message
    await journal.close()
    return refused.value.message


async def test_a_file_of_the_first_version_is_brought_up_to_date(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    db = sqlite3.connect(path)
    db.executescript(MIGRATIONS[0])
    db.execute(
        "INSERT INTO run (run_id, name, parent, profile, started, ended, status, done, total,"
        " friends, tasks, error, owner, lease_until)"
        " VALUES ('old', 'old run', '', 'lab', 1, 2, 'done', 1, 1, '[]', '[]', '', '', 0)"
    )
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    path.chmod(0o600)
    async with opened(path, Clock()) as (journal, _):
        assert [row.name for row in await journal.runs()] == ["old run"]
        await journal.begin(RunStarted(at=3, run_id="new", name="new", plan=task("", "t")))
        assert len(await journal.runs()) == 2


async def test_a_file_of_a_newer_version(path: Path) -> None:
    async with opened(path, Clock()):
        pass
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    assert await refusal(path) == (
        f"{path} was written by a newer version (schema 99 > {VERSION});"
        " runs are not saved, so nothing is sent."
    )


async def test_what_a_newer_version_wrote_is_read_and_never_written(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
        events = await kinds_of(journal)
    db = sqlite3.connect(path)
    db.executescript(
        "ALTER TABLE run ADD COLUMN tenant TEXT; CREATE TABLE note (text TEXT);"
        "INSERT INTO event (ts, run, kind, data) VALUES (9, 1, 'RunPraised', '{}');"
        "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)"
    )
    db.close()
    before = path.read_bytes()
    journal = Journal(path, Clock())
    await journal.open()
    assert journal.problem.startswith(f"{path} was written by a newer version (schema 99 > ")
    assert journal.may_be_read
    assert [row.run_id for row in await journal.runs("state:done")] == ["r"]
    assert await kinds_of(journal) == events
    assert await journal.usual("lab", "step") == (0.5, 0.5)
    for write in (journal.open_runs(), journal.take("r"), journal.begin(started("new"))):
        with pytest.raises(JournalError, match=r"newer version .* so nothing is sent"):
            await write
    await journal.close()
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["runs.db"]


async def test_a_newer_version_without_what_is_read_here_is_refused_in_a_sentence(
    path: Path,
) -> None:
    async with opened(path, Clock()):
        pass
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE run RENAME COLUMN friends TO partners")
    db.execute("PRAGMA user_version = 99")
    db.close()
    journal = Journal(path, Clock())
    with pytest.raises(JournalError, match=r"cannot be read: no such column: friends\.$"):
        await journal.runs()
    await journal.close()


async def test_a_file_of_another_program(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    db = sqlite3.connect(path)
    db.execute("PRAGMA application_id = 77")
    db.execute("CREATE TABLE x (y)")
    db.close()
    assert "is a database of another program; runs are not saved" in await refusal(path)


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    assert "runs are not saved, so nothing is sent." in await refusal(tmp_path / "state/runs.db")


async def test_a_link_in_place_of_the_file(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("")
    assert "is not a regular file; runs are not saved" in await refusal(path)


@pytest.mark.parametrize("damage", ["no database at all" * 400, ""])
async def test_a_damaged_file_is_set_aside_and_reported(path: Path, damage: str) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "old", 1_000_000.0, 1, 2, 3)
    whole = path.read_bytes()
    path.write_bytes(damage.encode() if damage else whole[:4096] + b"\x55" * 9000)
    path.with_name("runs.db-wal").touch()  # as after a crash
    async with opened(path, Clock()) as (journal, bus):
        assert "was damaged: kept as runs.db.damaged-" in journal.notice
        assert journal.notice.endswith("and a new one was started.")
        assert journal.problem == ""
        await whole_run(journal, bus, "new", 1_000_000.0, 1, 2, 3)
        assert [row.run_id for row in await journal.runs()] == ["new"]
    assert len(list(path.parent.glob("runs.db.damaged-*"))) >= 1


async def statements_of_opening(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything that SQLite is asked when the journal is opened."""
    statements: list[str] = []

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        db = real(*args, **options)
        db.set_trace_callback(statements.append)
        return db

    real = sqlite3.connect
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", connect)
        async with opened(path, Clock()) as (journal, _):
            assert (journal.problem, journal.notice) == ("", "")
            assert await journal.runs()
    return "\n".join(statements)


async def test_the_whole_file_is_checked_after_a_crash_and_not_beside_another_console(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path, Clock()) as (journal, _):
        await journal.begin(started())
        crashed = Path(shutil.copytree(path.parent, tmp_path / "crashed")) / path.name
        assert "quick_check" not in await statements_of_opening(path, monkeypatch)
        assert "quick_check" in await statements_of_opening(crashed, monkeypatch)
    assert "quick_check" not in await statements_of_opening(path, monkeypatch)


async def test_a_full_disk_sends_nothing_and_loses_nothing(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started("r", plan=chain("r", 2)))
        writer = journal._queue.writer
        assert writer is not None
        pages = writer._db.execute("PRAGMA page_count").fetchone()[0]
        writer._db.execute(f"PRAGMA max_page_count = {pages}")
        big = os.urandom(50_000).hex()
        with pytest.raises(JournalError) as refused:
            await journal.intend("r", [("0", "r-0", (big,), {})])
        assert refused.value.message == (
            f"Disk full: {path} cannot be written; runs are not saved, so nothing is sent."
        )
        assert journal.problem == refused.value.message
        bus.publish(e.StateSeen(at=3, task_id="r-0", state="SEEN", meta=big))
        await journal.flush()
        assert journal.problem
        writer._db.execute("PRAGMA max_page_count = 1000000")
        await journal.intend("r", [("1", "r-1", (), {})])
        assert journal.problem == ""
        kinds = [type(event).__name__ for event in await journal.events_of("r")]
    # What was refused isn't written later; what merely happened is.
    assert kinds == ["RunStarted", "StateSeen", "StepIntended"]


@contextlib.contextmanager
def failing_disk(path: Path) -> Iterator[None]:
    """Files can't grow, which SQLite is told as a write that failed."""
    wal = path.with_name(f"{path.name}-wal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_disk_that_fails_sends_nothing_and_loses_nothing(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started("r", plan=chain("r", 2)))
        with failing_disk(path):
            with pytest.raises(JournalError, match=r"disk I/O error.*nothing is sent") as refused:
                await journal.intend("r", [("0", "r-0", (), {})])
            assert journal.problem == refused.value.message
            bus.publish(e.StateSeen(at=3, task_id="r-0", state="SEEN"))
            await journal.flush()
            assert journal.problem
        await journal.intend("r", [("1", "r-1", (), {})])
        assert journal.problem == ""
        assert await kinds_of(journal) == ["RunStarted", "StateSeen", "StepIntended"]
    async with opened(path, Clock()) as (journal, _):
        assert await kinds_of(journal) == ["RunStarted", "StateSeen", "StepIntended"]


async def kinds_of(journal: Journal, run_id: str = "r") -> list[str]:
    return [type(event).__name__ for event in await journal.events_of(run_id)]


@contextlib.contextmanager
def full_disk(journal: Journal) -> Iterator[str]:
    """A disk that takes no more while this lasts; gives a text that doesn't fit on it."""
    assert journal._queue.writer is not None
    db = journal._queue.writer._db
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    yield os.urandom(50_000).hex()
    db.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize(
    "make_event",
    [
        lambda big: RunEnded(at=5, run_id="r", error=big),
        lambda big: RunCancelled(at=5, run_id="r", revoked=(big,)),
        lambda big: StepDecided(at=5, run_id="r", path="0", what="done", by="me", result=big),
    ],
    ids=["the end", "a cancelling", "a decision"],
)
async def test_an_event_that_could_not_be_kept_is_written_later(
    path: Path, make_event: Any
) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        with full_disk(journal) as big:
            event = make_event(big)
            bus.publish(event)
            with pytest.raises(JournalError, match="Disk full"):
                await journal.keep(event)
            with pytest.raises(JournalError, match="Disk full"):
                await journal.intend("r", [("0", "r-0", (), {})])
        bus.publish(RunAdopted(at=6, run_id="r"))
        assert await kinds_of(journal) == ["RunStarted", type(event).__name__, "RunAdopted"]
        assert journal.problem == ""
        assert journal.lost == 0


async def test_a_run_whose_end_could_not_be_kept_is_not_open_for_ever(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        with full_disk(journal) as big:
            ended = RunEnded(at=5, run_id="r", error=big)
            bus.publish(ended)
            with pytest.raises(JournalError):
                await journal.end(ended)
            assert [run.run_id for run in await journal.open_runs()] == ["r"]
        await journal.flush()
        assert await journal.open_runs() == []


async def test_a_result_that_is_kept_at_the_second_try_is_written_once(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        with full_disk(journal) as big:
            bus.publish(e.Succeeded(at=3, task_id="r-0", result=big))
            with pytest.raises(JournalError):
                await journal.keep_result("r", "0", "r-0", big)
        await journal.keep_result("r", "0", "r-0", big)
        assert await kinds_of(journal) == ["RunStarted", "Succeeded"]


async def test_a_beginning_that_was_refused_is_not_written_later(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        with full_disk(journal) as big:
            begun = started("refused", name=big)
            bus.publish(begun)
            with pytest.raises(JournalError):
                await journal.begin(begun)
        bus.publish(RunEnded(at=5, run_id="refused"))
        assert await kinds_of(journal, "refused") == []
        assert [row.run_id for row in await journal.runs()] == ["r"]


async def test_facts_that_fell_out_of_a_full_queue_are_counted_and_can_still_be_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.runs.journal.write_queue.MAX_QUEUED", 2)
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        facts = [e.Noticed(at=n, task_id="r-0", text=str(n)) for n in range(4)]
        for event in facts:
            bus.publish(event)
        await journal.keep(facts[0])
        assert journal.lost == 2
        assert [each.at for each in await journal.events_of("r")][1:] == [2, 3, 0]


async def test_text_that_no_file_can_hold_stops_nothing(path: Path) -> None:
    odd = "odd \ud800"
    async with opened(path, Clock()) as (journal, bus):
        begun = started(name=odd, concurrency=odd)
        bus.publish(begun)
        await journal.begin(begun)
        with pytest.raises(RunRefused):
            await journal.begin(started("other", concurrency=odd))
        bus.publish(e.Failed(at=2, task_id="r-0", error_type="ValueError", error_message=odd))
        bus.publish(RunEnded(at=3, run_id="r", error=odd))
        events = await journal.events_of("r")
        assert (journal.problem, journal.lost) == ("", 0)
        [row] = await journal.runs("odd")
        assert (row.name, row.error) == ("odd \\ud800", "odd \\ud800")
        other = sqlite3.connect(path)
        errors = other.execute("SELECT error FROM step WHERE path = '0'").fetchall()
        assert errors == [("ValueError: odd \\ud800",)]
        other.close()
    assert folded(events).runs["r"].steps["0"].error_message == odd


async def test_progress_beyond_all_numbers_stops_nothing(path: Path) -> None:
    meta = {"current": 10**400, "total": 1}
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        bus.publish(e.StateSeen(at=2, task_id="r-0", state="PROGRESS", meta=meta))
        bus.publish(e.Noticed(at=2, task_id="r-0", text="after it"))
        events = await journal.events_of("r")
        assert (journal.problem, journal.lost) == ("", 0)
    assert [type(event).__name__ for event in events][1:] == ["StateSeen", "Noticed"]
    assert folded(events).runs["r"].steps["0"].progress is None


UNWRITABLE = [
    e.Noticed(at=float("nan"), task_id="t0", text=""),  # no NULL there
    e.Noticed(at=10**400, task_id="t1", text=""),  # no number of SQLite's
    e.Noticed(at=1, task_id="t\ud800", text=""),
    e.StateSeen(at=1, task_id="t2", state="X", meta=10**5000),  # no number of JSON's
    RunStarted(at=0, run_id="twin", name="twin", plan=PLAN),  # with tasks that are there
]
WRITABLE = [
    e.Noticed(at=1, task_id="t0", text="on"),
    e.Dispatched(at=2, task_id="t1", task="f.task", friend="f", queue="q"),
    e.Failed(at=3, task_id="t2", error_type="E", error_message="no"),
    RunEnded(at=4, run_id="r"),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations([*UNWRITABLE, *WRITABLE]))
def test_what_cannot_be_written_takes_nothing_with_it(tmp_path: Path, events: list[Any]) -> None:
    path = tmp_path / "runs.db"
    path.unlink(missing_ok=True)
    writer = JournalWriter(path, "me")
    begun = RunStarted(at=0, run_id="r", name="run", plan=PLAN)
    refused = writer.write([begun, *events], durable=False, now=0)
    assert refused.keys() == {id(event) for event in UNWRITABLE}
    assert all(isinstance(why, JournalError) for why in refused.values())
    good = [event for event in events if event in WRITABLE]
    assert events_of_run(writer._db, "r")[1:] == good
    row = writer._db.execute("SELECT status, done, total, ended, error FROM run").fetchall()
    assert row == [run_summary(folded([begun, *good]).runs["r"], Packer())]
    writer.close()


async def test_what_cannot_be_written_is_counted_and_reported_to_the_caller(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        bus.publish(dispatched("r-0"))
        bus.publish(e.Noticed(at=10**400, task_id="r-0", text=""))
        bus.publish(e.Noticed(at=3, task_id="r-0", text="on"))
        with pytest.raises(JournalError, match="It cannot be written to the journal: "):
            await journal.keep(e.Noticed(at=10**400, task_id="r-1", text=""))
        assert await kinds_of(journal) == ["RunStarted", "Dispatched", "Noticed"]
        assert (journal.problem, journal.lost) == ("", 1)


async def test_two_consoles_one_owns_and_one_watches(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as (mine, bus), opened(path, clock) as (other, _):
        await mine.begin(started())
        bus.publish(dispatched("r-0"))
        await mine.flush()
        assert [run.alive for run in await other.open_runs()] == [True]
        with pytest.raises(RunTaken):
            await other.take("r")
        assert len(await other.events_of("r")) == 2
        assert (await other.runs())[0].status == "queued"

        clock.at += 16  # the owner was silent for longer than its lease
        assert (await other.runs())[0].status == "interrupted"
        assert len(await other.take("r")) == 2
        assert [run.recoveries for run in await other.open_runs()] == [1]
        with pytest.raises(RunTaken, match=r"open in another console \(pid \d+\)"):
            await mine.intend("r", [("0", "r-0", (), {})])
        with pytest.raises(RunTaken):
            await mine.keep_result("r", "0", "r-0", 1)
        assert len(await other.events_of("r")) == 2
        await other.intend("r", [("0", "r-0", (), {})])
        assert [run.recoveries for run in await other.open_runs()] == [0]


async def test_a_run_that_the_workers_have_is_not_interrupted_when_its_console_leaves(
    path: Path,
) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started())
        bus.publish(RunDetached(at=1, run_id="r", paths=("0",)))
        bus.publish(dispatched("r-0"))
        await journal.flush()
        assert [row.status for row in await journal.runs()] == ["queued"]
    async with opened(path, Clock()) as (journal, _):
        assert [row.status for row in await journal.runs()] == ["handed over"]
        assert len(await journal.runs("state:handed")) == 1
        assert await journal.runs("state:interrupted") == []


async def test_a_run_that_was_given_back_is_taken_at_once(path: Path) -> None:
    async with opened(path, Clock()) as (mine, _):
        await mine.begin(started())
    async with opened(path, Clock()) as (other, _):
        assert [(run.alive, run.recoveries) for run in await other.open_runs()] == [(False, 0)]
        assert await other.take("r")
        assert [(run.alive, run.recoveries) for run in await other.open_runs()] == [(True, 0)]


async def test_a_console_that_crashes_again_and_again_is_noticed(path: Path) -> None:
    clock = Clock()
    async with opened(path, clock) as (mine, _):
        await mine.begin(started())
        for _ in range(5):
            clock.at += 16
            async with opened(path, clock) as (next_one, _):
                await next_one.take("r")
                writer = next_one._queue.writer
                assert writer is not None
                writer.leases.release_all = lambda: None  # type: ignore[method-assign]
        clock.at += 16
        assert [run.stuck for run in await mine.open_runs()] == [True]


async def test_old_runs_go_and_open_ones_never(path: Path) -> None:
    from kimera_tui.runs.journal.retention import delete_old

    clock = Clock()
    async with opened(path, clock) as (journal, bus):
        for n in range(25):
            await whole_run(journal, bus, f"old-{n}", 1_000_000.0 + n, 1, 2, 3)
        await journal.begin(started("open"))
        await whole_run(journal, bus, "new", 9_000_000.0, 1, 2, 3)
        writer = journal._queue.writer
        assert writer is not None
        db = writer._db
        assert delete_old(db, 9_000_001.0) == 20
        assert delete_old(db, 9_000_001.0) == 5
        assert delete_old(db, 9_000_001.0) == 0
        assert [row.run_id for row in await journal.runs()] == ["new", "open"]
        assert db.execute("SELECT count(*) FROM event").fetchone()[0] == 1 + 14
        assert delete_old(db, 9_000_001.0, keep_bytes=0) == 1
        assert [row.run_id for row in await journal.runs()] == ["open"]
        assert await journal.events_of("new") == []


async def test_a_console_that_stays_open_goes_on_to_forget(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kimera_tui.runs.journal.journal.RENEW_SECONDS", 0)
    clock = Clock()
    async with opened(path, clock) as (journal, bus):
        writer = journal._queue.writer
        assert writer is not None
        forgot, looks = writer.delete_old, asyncio.Semaphore(0)
        loop = asyncio.get_running_loop()

        def delete_old(now: float) -> int:
            gone = forgot(now)
            if not gone:
                loop.call_soon_threadsafe(looks.release)
            return gone

        monkeypatch.setattr(writer, "delete_old", delete_old)
        await looks.acquire()
        await whole_run(journal, bus, "old", clock.at, 1, 2, 3)
        clock.at += 91 * 86_400
        await asyncio.wait_for(looks.acquire(), 10)
        assert await journal.runs() == []
        await journal.runs()  # several turns of the loop later
        assert looks.locked()


async def test_what_is_asked_of_a_closed_journal_is_refused(path: Path) -> None:
    async with opened(path, Clock()) as (journal, _):
        await journal.begin(started())
    never_opened = Journal(path, Clock())
    await never_opened.close()
    for closed in (journal, never_opened):
        for ask in (
            closed.runs(),
            closed.events_of("r"),
            closed.open_runs(),
            closed.take("r"),
            closed.keep(RunEnded(at=5, run_id="r")),
            closed.begin(started("new")),
        ):
            with pytest.raises(JournalError):
                await asyncio.wait_for(ask, 10)
        await closed.close()


async def test_a_run_that_cannot_be_read_is_not_held(path: Path) -> None:
    async with opened(path, Clock()) as (journal, _):
        await journal.begin(started())
    db = sqlite3.connect(path)
    db.execute("UPDATE event SET data = 'no JSON'")
    db.commit()
    db.close()
    async with opened(path, Clock()) as (journal, _):
        with pytest.raises(UsageError, match="start in the journal is unreadable"):
            await journal.take("r")
        assert [(run.owner, run.alive) for run in await journal.open_runs()] == [("", False)]


async def test_an_older_sqlite_writes_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimera_tui.runs.journal.batch_sql._KNOWS_UPDATE_FROM", (99,))
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
        assert await journal.usual("lab", "step") == (0.5, 0.5)
        assert (await journal.runs())[0].status == "done"


async def test_how_long_a_task_usually_takes(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        assert await journal.usual("lab", "step") is None
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
        assert await journal.usual("lab", "step") == (0.5, 0.5)
        assert await journal.usual("lab", "other") is None


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as place:
        yield place


WAYS = {
    fill: "Disk full: {0} cannot be written; runs are not saved, so nothing is sent.",
    make_read_only: "Cannot write {0}: its disk is read-only; runs are not saved, so nothing is"
    " sent.",
}


@pytest.mark.parametrize("spoil", WAYS)
@pytest.mark.parametrize("crashed", [False, True], ids=["closed", "crashed"])
async def test_what_is_there_is_read_from_a_disk_that_takes_nothing(
    disk: Path, tmp_path: Path, spoil: Callable[[Path], None], crashed: bool
) -> None:
    path = disk / "state" / "runs.db"
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
        if crashed:  # with all of it still in the write-ahead log
            shutil.copytree(path.parent, tmp_path / "crashed")
    if crashed:
        for each in (tmp_path / "crashed").iterdir():
            shutil.copy(each, path.parent)
    spoil(disk)
    assert await refusal(path) == WAYS[spoil].format(path)  # type: ignore[index]
    journal = Journal(path, Clock())
    await journal.open()
    assert journal.may_be_read
    assert [row.run_id for row in await journal.runs()] == ["r"]
    assert (await kinds_of(journal))[-1] == "RunEnded"
    await journal.close()


async def test_a_disk_that_was_full_before_the_first_run_is_reported(disk: Path) -> None:
    fill(disk)
    path = disk / "runs.db"
    assert await refusal(path) == WAYS[fill].format(path)
    journal = Journal(path, Clock())
    with pytest.raises(JournalError, match="Disk full"):
        await journal.runs()
    await journal.close()


async def test_the_cause_is_reported_by_its_code_and_not_by_words(tmp_path: Path) -> None:
    path = tmp_path / "full of locked, readonly things.db"
    busy = sqlite3.connect(path, isolation_level=None)
    busy.execute("BEGIN EXCLUSIVE")
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    with pytest.raises(sqlite3.OperationalError) as locked:
        other.execute("BEGIN IMMEDIATE")
    busy.close()
    with pytest.raises(sqlite3.OperationalError) as wrong:
        other.execute("SELECT * FROM full_and_locked_and_readonly")
    other.close()
    assert "another program has kept it locked for 10 s" in str(unusable(path, locked.value))
    assert str(unusable(path, wrong.value)).startswith(f"Cannot write {path}: no such table")


async def test_a_file_of_another_user_is_reported_as_such_and_read(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away: run as root to run this test")
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
    nobody = pwd.getpwnam("nobody")
    os.chown(path, nobody.pw_uid, -1)
    assert f"Cannot write {path}: it belongs to user nobody; runs are" in await refusal(path)
    journal = Journal(path, Clock())
    assert [row.run_id for row in await journal.runs()] == ["r"]
    await journal.close()


async def test_a_file_that_another_program_keeps_locked_is_reported_as_such(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("file", "file_errors"):
        monkeypatch.setattr(f"kimera_tui.runs.journal.{module}.BUSY_SECONDS", 0.1)
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "r", 1_000_000.0, 1, 2, 3)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        journal = Journal(path, Clock())
        with pytest.raises(JournalError, match=r"has kept it locked for 0\.1 s"):
            await journal.runs()
    assert [row.run_id for row in await journal.runs()] == ["r"]  # it is free again
    await journal.close()


async def test_a_damaged_file_is_reported_as_long_as_it_exists(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "old", 1_000_000.0, 1, 2, 3)
    path.write_bytes(b"\0" * 64 + path.read_bytes()[64:])
    async with opened(path, Clock()) as (journal, _):
        assert journal.notice.endswith("and a new one was started.")
    (kept,) = path.parent.glob("runs.db.damaged-*")
    async with opened(path, Clock()) as (journal, _):
        assert f"was damaged: kept as {kept.name}, with the runs it had" in journal.notice
    kept.unlink()
    async with opened(path, Clock()) as (journal, _):
        assert journal.notice == ""
