"""The journal: what it keeps, in which order, what it never holds, and how it says no."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from kimera_tui.errors import JournalError, RunTaken
from kimera_tui.process import events as e
from kimera_tui.runs.book import RunBook
from kimera_tui.runs.events import RunDetached, RunEnded, RunStarted, StepIntended
from kimera_tui.runs.journal import Journal
from kimera_tui.runs.notkept import TooLarge, Withheld, is_whole
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.reading import events_of_run
from kimera_tui.runs.schema import APPLICATION_ID, MIGRATIONS, VERSION
from kimera_tui.runs.store import Store
from kimera_tui.runs.tables import run_fold, step_row
from kimera_tui.runs.values import Packer

from .lab import Clock, chain, dispatched, opened, sending, started, task, whole_run
from .test_state import HISTORIES, IDS, PLAN, told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "runs.db"


def folded(events: list[Any]) -> RunBook:
    book = RunBook()
    book.apply_all(events)
    return book


INTENTS = [
    StepIntended(at=0, run_id="r", path=str(n), task_id=IDS[n], args=(1,), kwargs={"a": 1})
    for n in range(3)
]


@example([e.Resent(at=1.0, task_id="t0"), e.TimedOut(at=1.0, task_id="t0", seconds=3)])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(HISTORIES)
def test_a_run_from_the_journal_is_the_run_that_was_seen_live(
    tmp_path: Path, history: list[Any]
) -> None:
    path = tmp_path / "runs.db"
    path.unlink(missing_ok=True)
    begun = RunStarted(at=0, run_id="r", name="run", plan=PLAN)
    store = Store(path, "me")
    store.write([begun, *INTENTS], durable=True, now=0)
    for start in range(0, len(history), 7):
        store.write(history[start : start + 7], durable=False, now=0)
    read = events_of_run(store._db, "r")
    assert told(folded(read)) == told(folded([begun, *INTENTS, *history]))
    run = folded(read).runs["r"]
    row = store._db.execute("SELECT status, done, total, ended, error FROM run").fetchone()
    assert row == run_fold(run, Packer())
    rows = store._db.execute("SELECT path, status, sent, began, ended, error FROM step")
    assert {each[0]: each for each in rows} == {
        step.path: step_row(step, Packer()) for step in run.steps.values()
    }
    store.close()


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
        assert kinds == ["RunStarted", "StepIntended", "Sending", "Succeeded"]
        other.close()


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
        "odd": {1: "one", "$secret": "mine", "$x": (1, {2})},
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


async def test_a_result_over_the_cap_is_told_by_its_size(path: Path) -> None:
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
    assert (step.polls, step.next_poll) == (1000, 1000)


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
    assert "is not a file of yours; runs are not saved" in await refusal(path)


@pytest.mark.parametrize("damage", ["no database at all" * 400, ""])
async def test_a_damaged_file_is_set_aside_and_said(path: Path, damage: str) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await whole_run(journal, bus, "old", 1_000_000.0, 1, 2, 3)
    whole = path.read_bytes()
    path.write_bytes(damage.encode() if damage else whole[:4096] + b"\x55" * 9000)
    path.with_name("runs.db-wal").touch()  # as after a crash
    async with opened(path, Clock()) as (journal, bus):
        assert "was damaged: kept as runs.db.damaged-" in journal.notice
        assert journal.notice.endswith("a new one was begun.")
        assert journal.problem == ""
        await whole_run(journal, bus, "new", 1_000_000.0, 1, 2, 3)
        assert [row.run_id for row in await journal.runs()] == ["new"]
    assert len(list(path.parent.glob("runs.db.damaged-*"))) >= 1


async def test_a_full_disk_sends_nothing_and_loses_nothing(path: Path) -> None:
    async with opened(path, Clock()) as (journal, bus):
        await journal.begin(started("r", plan=chain("r", 2)))
        store = journal._writing.store
        assert store is not None
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
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
        store._db.execute("PRAGMA max_page_count = 1000000")
        await journal.intend("r", [("1", "r-1", (), {})])
        assert journal.problem == ""
        kinds = [type(event).__name__ for event in await journal.events_of("r")]
    # What was refused isn't written later; what merely happened is.
    assert kinds == ["RunStarted", "StateSeen", "StepIntended"]


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
                store = next_one._writing.store
                assert store is not None
                store.leases.give_back = lambda: None  # type: ignore[method-assign]
        clock.at += 16
        assert [run.stuck for run in await mine.open_runs()] == [True]


async def test_old_runs_go_and_open_ones_never(path: Path) -> None:
    from kimera_tui.runs.retention import forget_old

    clock = Clock()
    async with opened(path, clock) as (journal, bus):
        for n in range(25):
            await whole_run(journal, bus, f"old-{n}", 1_000_000.0 + n, 1, 2, 3)
        await journal.begin(started("open"))
        await whole_run(journal, bus, "new", 9_000_000.0, 1, 2, 3)
        store = journal._writing.store
        assert store is not None
        db = store._db
        assert forget_old(db, 9_000_001.0) == 20
        assert forget_old(db, 9_000_001.0) == 5
        assert forget_old(db, 9_000_001.0) == 0
        assert [row.run_id for row in await journal.runs()] == ["new", "open"]
        assert db.execute("SELECT count(*) FROM event").fetchone()[0] == 1 + 14
        assert forget_old(db, 9_000_001.0, keep_bytes=0) == 1
        assert [row.run_id for row in await journal.runs()] == ["open"]
        assert await journal.events_of("new") == []


async def test_an_older_sqlite_writes_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimera_tui.runs.bulk._KNOWS_UPDATE_FROM", (99,))
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
