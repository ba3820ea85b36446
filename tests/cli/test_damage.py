"""What is lost, set aside or refused is told by every command, and what is there is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.runs.journal.disks import fill, make_read_only, small_disk
from tests.runs.lab import Clock, opened, whole_run

pytestmark = pytest.mark.usefixtures("broker_url")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as place:
        yield place


def kept_runs(folder: Path) -> Path:
    """A journal with two runs in a folder for KIMERA_HOME; returns its file."""

    async def make() -> None:
        async with opened(folder / "state" / "runs.db", Clock()) as (journal, bus):
            await whole_run(journal, bus, "first", 1_000_000.0, 1, 2, 3)
            await whole_run(journal, bus, "second", 1_000_009.0, 1, 2, 4)

    asyncio.run(make())
    return folder / "state" / "runs.db"


COMMANDS = {
    "runs": 0, "watch first": 2, "compare first second": 2, "cancel first": 2, "replay first": 2,
    "workflow list": 0, "send calculator add --args [1,2]": 0,
    "resume": 1,
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_that_a_damaged_journal_was_set_aside(
    run: Run, tmp_path: Path, command: str
) -> None:
    path = kept_runs(tmp_path)
    path.write_bytes(b"\0" * 64 + path.read_bytes()[64:])
    for words in (
        "was damaged: kept as {}, and a new one was started.",
        "kept as {}, with the runs it had",
    ):
        done = run(*command.split(), KIMERA_HOME=str(tmp_path))
        (kept,) = path.parent.glob("runs.db.damaged-*")
        assert f"warning: {path} was damaged" in done.stderr
        assert words.format(kept.name) in done.stderr
        assert done.returncode == COMMANDS[command], done.stderr
        assert "No run was left." not in done.stderr


@pytest.mark.parametrize(
    ("spoil", "why"), [(fill, "Disk full"), (make_read_only, "its disk is read-only")]
)
def test_what_is_there_is_shown_where_nothing_can_be_written(
    run: Run, disk: Path, spoil: Callable[[Path], None], why: str
) -> None:
    kept_runs(disk)
    spoil(disk)
    home = {"KIMERA_HOME": str(disk)}
    listed = run("runs", **home)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["second", "first"]
    watched = run("watch", "first", **home)
    assert watched.stdout.count("done ") == 3
    compared = run("compare", "first", "second", **home)
    assert "lab.step" in compared.stdout
    for done in (listed, watched, compared):
        assert why in done.stderr
        assert "it can still be read." in done.stderr
    assert (listed.returncode, watched.returncode, compared.returncode) == (0, 0, 1)
    refused = run("send", "calculator", "add", "--args", "[1, 2]", **home)
    assert refused.returncode == 1
    assert why in refused.stderr
    assert "nothing is sent" in refused.stderr
