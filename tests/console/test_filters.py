"""Saved filters by way of the real console, and on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from kimera_tui.console.console import build_console
from kimera_tui.console.filters import SavedFilter, SavedFilters
from kimera_tui.errors import ConfigError, UsageError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the filters of the test are."""
    monkeypatch.setenv("KIMERA_HOME", str(tmp_path))
    return tmp_path / "config" / "filters.yaml"


async def test_filters_are_saved_listed_and_deleted(file: Path) -> None:
    filters = SavedFilters()
    assert await filters.list() == []
    await filters.save("@mine", " load -draft ")
    await filters.save("bad", "@mine state:failed")
    assert await filters.list() == [
        SavedFilter("bad", "@mine state:failed"),
        SavedFilter("mine", "load -draft"),
    ]
    await filters.delete("mine")
    [bad] = await filters.list()
    assert bad.problem == "No saved filter `mine`."
    with pytest.raises(UsageError, match=r"No saved filter `bat`\. Near: `bad`\."):
        await filters.delete("bat")


@pytest.mark.parametrize("line", ["", "(", "@nowhere", "@mine", "state:odd"])
async def test_what_could_not_be_used_is_not_saved(file: Path, line: str) -> None:
    filters = SavedFilters()
    with pytest.raises(UsageError, match="Saved filter `mine`: "):
        await filters.save("mine", line)
    assert not file.exists()


async def test_a_line_in_the_file_that_cannot_be_read_is_a_row_with_its_problem(
    file: Path,
) -> None:
    file.parent.mkdir()
    file.write_text("filters:\n  a: load\n  b: '('\n")
    assert await SavedFilters().list() == [
        SavedFilter("a", "load"),
        SavedFilter("b", "(", "The search has a ( without its )."),
    ]


async def test_a_wrong_file_is_never_written_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("filters:\n  a: 7\n")
    with pytest.raises(ConfigError, match=r"line 2: filters\.a: must be text"):
        await SavedFilters().save("b", "load")
    assert file.read_text() == "filters:\n  a: 7\n"


async def test_a_search_asks_for_the_file_only_where_it_names_a_filter(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("filters:\n  a: 7\n")
    console = build_console({})
    try:
        assert await console.runs.search("load me@home") == []
        with pytest.raises(ConfigError, match="must be text"):
            await console.runs.search("load @a")
    finally:
        await console.close()
