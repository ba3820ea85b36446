"""``runs``, ``watch``, ``replay``, ``cancel`` and ``resume``: what was sent is there afterwards."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kimera_tui.cli import watch as watching
from kimera_tui.cli.watch import follow
from kimera_tui.console.filters import SavedFilters
from kimera_tui.process.loop.clock import SystemClock
from kimera_tui.runs.events import RunEnded
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.search.query import RunRow
from tests.cli.conftest import Run
from tests.process.redis.servers import free_port
from tests.runs.lab import started
from tests.ui.stage import Stage, StageJournal

pytestmark = pytest.mark.usefixtures("broker_url")


@pytest.fixture
def where(tmp_path: Path) -> dict[str, str]:
    """A journal of the test's own."""
    return {"KIMERA_HOME": str(tmp_path)}


def listed(run: Run, where: dict[str, str], *search: str) -> list[dict[str, object]]:
    done = run("runs", *search, "--json", **where)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_was_sent_is_listed_searched_and_watched(run: Run, where: dict[str, str]) -> None:
    run("send", "calculator", "add", "--args", "[1, 2]", **where)
    run("send", "flaky", "fail", "--kwargs", '{"message": "on purpose"}', **where)
    assert [row["status"] for row in listed(run, where)] == ["failed", "done"]
    assert [row["name"] for row in listed(run, where, "state:failed")] == ["flaky.fail"]
    assert [row["name"] for row in listed(run, where, "exc:purpose")] == ["flaky.fail"]
    assert listed(run, where, "friend:echo") == []
    failed = str(listed(run, where, "state:failed")[0]["run"])
    watched = run("watch", failed[:8], "--json", **where)
    assert watched.returncode == 1
    assert json.loads(watched.stdout)["steps"][0]["error"] == "ValueError: on purpose"


def away() -> dict[str, str]:
    """A broker that isn't there."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    return {"BROKER_URL": url, "RESULT_BACKEND": url}


def nobody_at(folder: Path) -> str:
    """A run in the journal that goes on nowhere; returns its id."""

    async def write() -> None:
        journal = Journal(folder / "state" / "runs.db", SystemClock())
        await journal.begin(started("left", SystemClock().now()))
        await journal.close()

    asyncio.run(write())
    return "left"


def test_a_run_that_does_not_end_is_watched_as_long_as_asked(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    run_id = nobody_at(tmp_path)
    done = run("watch", run_id, "--timeout", "0.5s", **where)
    assert done.returncode == 3
    assert "has not ended in the time given" in done.stderr
    assert "No console works on it: kimera-tui resume left continues it." in done.stderr
    for odd in ("nan", "-1", "0", "soon"):
        done = run("watch", run_id, "--timeout", odd, **where)
        assert (done.returncode, "Timeout: " in done.stderr) == (2, True)


@pytest.mark.parametrize("words", [["resume"], ["resume", "left"]], ids=["all", "one"])
def test_no_run_is_gone_on_with_while_the_broker_is_away(
    run: Run, where: dict[str, str], tmp_path: Path, words: list[str]
) -> None:
    nobody_at(tmp_path)
    done = run(*words, **where, **away())
    assert done.returncode == 69
    assert "is not there (connection refused). Nothing was sent." in done.stderr
    assert [row["status"] for row in listed(run, where)] == ["interrupted"]


def test_a_run_is_to_be_cancelled_though_the_broker_is_away(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    run_id = nobody_at(tmp_path)
    done = run("cancel", run_id, **where, **away())
    assert done.returncode == 3
    assert "Recorded: whoever resumes the run will cancel it." in done.stderr
    assert "is not there (connection refused)." in done.stderr


def test_a_run_whose_beginning_is_not_kept_is_reported(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    run_id = nobody_at(tmp_path)
    db = sqlite3.connect(tmp_path / "state" / "runs.db")
    db.execute("DELETE FROM event WHERE kind = 'RunStarted'")
    db.commit()
    db.close()
    done = run("watch", run_id, **where)
    assert done.returncode == 2
    assert "Run left cannot be read: its start is not in the journal." in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_long_run_is_not_read_again_at_each_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.001)
    looks, reads = 0, 0
    row = RunRow("left", "run left", "running", 0.0, None, 0, 3, (), (), "", "")

    class SlowJournal(StageJournal):
        """A run that takes long to read, and ends at the tenth look."""

        async def events_of(self, run_id: str) -> list[Any]:
            nonlocal reads
            reads += 1
            await asyncio.sleep(0.1)
            ended = [RunEnded(at=1, run_id=run_id)] if looks >= 10 else []
            return [started(run_id), *ended]

        async def runs(self, *_: object, **__: object) -> list[RunRow]:
            nonlocal looks
            looks += 1
            return [replace(row, ended=1.0) if looks >= 10 else row]

    console = Stage(journal=SlowJournal())
    state = await follow(console, "left", time.monotonic() + 60)
    assert state.ended == 1
    assert (looks, reads) == (10, 2)


def test_a_replay_is_a_new_run_that_names_its_parent(run: Run, where: dict[str, str]) -> None:
    run("send", "calculator", "add", "--args", "[20, 22]", **where)
    first = str(listed(run, where)[0]["run"])
    done = run("replay", first[:8], "--json", **where)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert output["steps"][0]["result"] == 42
    assert output["run"] != first
    assert listed(run, where)[0]["parent"] == first


def test_a_secret_is_never_written_and_keeps_a_run_from_being_replayed(
    run: Run, where: dict[str, str], tmp_path: Path
) -> None:
    kwargs = '{"seconds": 0.1, "token": "canary-5e4715e1"}'
    run("send", "reports", "render", "--kwargs", kwargs, **where)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"canary" not in written
    first = str(listed(run, where)[0]["run"])
    again = run("replay", first, **where)
    assert again.returncode == 2
    assert "token" in again.stderr
    assert "Nothing was sent" in again.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["watch", "nothing"], "No run's id starts with `nothing`"),
        (["cancel", "nothing"], "No run's id starts with `nothing`"),
        (["replay", "nothing"], "No run's id starts with `nothing`"),
        (["resume", "nothing"], "No unfinished run's id starts with `nothing`"),
        (["runs", "state:odd"], "odd"),
        (["runs", "since:soon"], "soon"),
    ],
)
def test_what_cannot_be_found_or_understood_leaves_with_2(
    run: Run, where: dict[str, str], words: list[str], sentence: str
) -> None:
    done = run(*words, **where)
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_has_ended_cannot_be_cancelled(run: Run, where: dict[str, str]) -> None:
    run("send", "calculator", "add", "--args", "[1, 2]", **where)
    done = run("cancel", str(listed(run, where)[0]["run"]), **where)
    assert done.returncode == 2
    assert "has ended" in done.stderr


def test_a_search_names_a_saved_filter(
    run: Run, where: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    asyncio.run(SavedFilters().save("mine", "load"))
    done = run("runs", "@mine", "or", "since:1d", **where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No runs found.\n")
    done = run("runs", "@mind", **where)
    assert done.returncode == 2
    assert "No saved filter `mind`. Near: `mine`." in done.stderr
    assert "Traceback" not in done.stderr
