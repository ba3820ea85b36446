"""Saved filters by way of the real parts, and on the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kimera_tui.console.parts import Parts
from kimera_tui.console.ports import SavedFilter
from kimera_tui.errors import ConfigError, UsageError
from tests.cli.conftest import Run


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the filters of the test are."""
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    return tmp_path / "config" / "filters.yaml"


async def test_filters_are_saved_listed_and_deleted(file: Path) -> None:
    parts = Parts({})
    assert await parts.filters() == []
    await parts.save_filter("@mine", " load -draft ")
    await parts.save_filter("bad", "@mine state:failed")
    assert await parts.filters() == [
        SavedFilter("bad", "@mine state:failed"),
        SavedFilter("mine", "load -draft"),
    ]
    await parts.delete_filter("mine")
    [bad] = await parts.filters()
    assert bad.problem == "No saved filter `mine`."
    with pytest.raises(UsageError, match=r"No saved filter `bat`\. Near: `bad`\."):
        await parts.delete_filter("bat")


@pytest.mark.parametrize("line", ["", "(", "@nowhere", "@mine", "state:odd"])
async def test_what_could_not_be_used_is_not_saved(file: Path, line: str) -> None:
    parts = Parts({})
    with pytest.raises(UsageError, match="Saved filter `mine`: "):
        await parts.save_filter("mine", line)
    assert not file.exists()


async def test_a_line_in_the_file_that_cannot_be_read_is_a_row_with_its_problem(
    file: Path,
) -> None:
    file.parent.mkdir()
    file.write_text("filters:\n  a: load\n  b: '('\n")
    assert await Parts({}).filters() == [
        SavedFilter("a", "load"),
        SavedFilter("b", "(", "The search has a ( without its )."),
    ]


async def test_a_wrong_file_is_never_written_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("filters:\n  a: 7\n")
    with pytest.raises(ConfigError, match=r"line 2: filters\.a: must be text"):
        await Parts({}).save_filter("b", "load")
    assert file.read_text() == "filters:\n  a: 7\n"


async def test_a_search_asks_for_the_file_only_where_it_names_a_filter(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("filters:\n  a: 7\n")
    parts = Parts({})
    try:
        assert await parts.runs("load me@home") == []
        with pytest.raises(ConfigError, match="must be text"):
            await parts.runs("load @a")
    finally:
        await parts.close()


def test_the_command_line_knows_them_too(file: Path, run: Run, tmp_path: Path) -> None:
    where = {"KIMERA_HOME": str(tmp_path)}
    asyncio.run(Parts({}).save_filter("mine", "load"))
    done = run("runs", "@mine", "or", "since:1d", **where)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No runs found.\n")
    done = run("runs", "@mind", **where)
    assert done.returncode == 2
    assert "No saved filter `mind`. Near: `mine`." in done.stderr
    assert "Traceback" not in done.stderr
