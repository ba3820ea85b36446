"""Who can still be at a run: processes that live, and none that have ended."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kimera_tui.runs.journal.leases import (
    LEASE_SECONDS,
    MAX_RECOVERIES,
    Leases,
    _is_gone,
    owner_name,
    pid_of,
)
from tests.conftest import REPO
from tests.runs.lab import Clock, opened, started

NOW = 1_000_000.0
NAMED = "from kimera_tui.runs.journal.leases import owner_name; print(owner_name('x'), flush=True)"

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="who is a zombie is read in /proc"
)


@pytest.fixture
def ended() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The owner's name of a process that has ended, which nobody has asked for: a zombie."""
    process = subprocess.Popen(
        [sys.executable, "-c", NAMED], cwd=REPO, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    name = process.stdout.read().strip()
    until = time.monotonic() + 10
    while " Z " not in Path(f"/proc/{process.pid}/stat").read_text():
        assert time.monotonic() < until
        time.sleep(0.01)
    yield name, process
    process.wait()


def test_this_process_is_there_and_another_with_its_id_is_not() -> None:
    name = owner_name("unique")
    assert not _is_gone(name)
    assert pid_of(name) == str(os.getpid())
    host, pid, _, unique = name.rsplit(":", 3)
    assert _is_gone(f"{host}:{pid}:1:{unique}")  # born at another time: the id was used again


def test_of_an_owner_elsewhere_only_the_lease_tells() -> None:
    assert not _is_gone("another-machine:1:1:x")
    assert not _is_gone("no name of an owner")


@needs_proc
def test_a_zombie_and_a_process_that_was_asked_for_are_gone(
    ended: tuple[str, subprocess.Popen[str]],
) -> None:
    name, process = ended
    assert pid_of(name) == str(process.pid)
    assert _is_gone(name)
    process.wait()
    assert _is_gone(name)


async def owned_by(path: Path, owner: str, until: float) -> sqlite3.Connection:
    """A journal with one open run of an owner."""
    async with opened(path, Clock()) as (journal, _):
        await journal.begin(started("r"))
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE run SET owner = ?, lease_until = ?, recoveries = 0", (owner, until))
    return db


@needs_proc
async def test_the_run_of_a_zombie_is_taken_over_before_its_lease_ends(
    ended: tuple[str, subprocess.Popen[str]], tmp_path: Path
) -> None:
    db = await owned_by(tmp_path / "runs.db", ended[0], NOW + LEASE_SECONDS)
    assert [run.alive for run in Leases(db, "me").open_runs(NOW)] == [False]
    assert Leases(db, "me").take("r", NOW)
    db.close()


async def test_one_of_two_takes_a_run_once_its_lease_has_ended(tmp_path: Path) -> None:
    db = await owned_by(tmp_path / "runs.db", "another-machine:1:1:x", NOW)
    first, second = Leases(db, "first"), Leases(db, "second")
    assert not first.take("r", NOW)
    assert first.take("r", NOW + 1)
    assert first.take("r", NOW + 1)  # it has it
    assert not second.take("r", NOW + 1)
    first.renew(NOW + LEASE_SECONDS)
    assert not second.take("r", NOW + LEASE_SECONDS + 2)
    first.release_all()
    assert second.take("r", NOW)
    db.close()


async def test_a_run_whose_consoles_keep_crashing_is_stuck_until_it_gets_ahead(
    tmp_path: Path,
) -> None:
    db, now = await owned_by(tmp_path / "runs.db", "another-machine:1:1:x", NOW), NOW
    for number in range(MAX_RECOVERIES):
        [run] = Leases(db, "looks").open_runs(now)
        assert not run.stuck
        now += LEASE_SECONDS + 1
        assert Leases(db, f"{number}").take("r", now)
    [run] = Leases(db, "looks").open_runs(now)
    assert run.stuck
    Leases(db, "4").progressed("r")
    [run] = Leases(db, "looks").open_runs(now)
    assert not run.stuck
    db.close()
