"""Saved filters: searches of runs that have a name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kimera_tui.config.saved_searches import filter_name, filters_file, load_filters, save_filters
from kimera_tui.errors import UsageError, near
from kimera_tui.runs.search.query import parse, resolve
from kimera_tui.runs.search.tree import Term, terms_of


@dataclass(frozen=True, slots=True)
class SavedFilter:
    """A search of runs that has a name."""

    name: str
    line: str
    problem: str = ""
    """Why it can't be used, or an empty string."""


class SavedFilters:
    """Reads and writes the file of saved filters, off the loop."""

    async def list(self) -> Sequence[SavedFilter]:
        """The saved filters by name, including those that can't be used.

        Raises:
            ConfigError: the file can't be read.
        """
        saved = await asyncio.to_thread(load_filters, filters_file())
        return [_checked(name, saved) for name in sorted(saved)]

    async def save(self, name: str, line: str) -> None:
        """Save a search under a name, replacing the one that had it.

        Raises:
            UsageError: the name or the search is wrong.
            ConfigError: the file can't be read or written.
        """
        await asyncio.to_thread(_save, filter_name(name), line.strip())

    async def delete(self, name: str) -> None:
        """Delete a saved filter; raises as ``save``, and UsageError where there is none."""
        await asyncio.to_thread(_delete, name)

    async def named_in(self, search: str) -> Mapping[str, str]:
        """The lines of all saved filters by name, if a search names any; else nothing.

        Raises:
            UsageError: the search can't be understood.
            ConfigError: the file can't be read.
        """
        if all(term.kind != "saved" for term in terms_of(parse(search))):
            return {}
        return await asyncio.to_thread(load_filters, filters_file())


def _checked(name: str, saved: Mapping[str, str]) -> SavedFilter:
    try:
        resolve(Term("saved", name), saved)
    except UsageError as error:
        problem = str(error).removeprefix(f"Saved filter `{name}`: ")
        return SavedFilter(name, saved[name], problem)
    return SavedFilter(name, saved[name])


def _save(name: str, line: str) -> None:
    path = filters_file()
    saved = {**load_filters(path), name: line}
    resolve(Term("saved", name), saved)
    save_filters(path, saved)


def _delete(name: str) -> None:
    path = filters_file()
    saved = load_filters(path)
    if saved.pop(name, None) is None:
        raise UsageError(f"No saved filter `{name}`.{near(name, saved)}")
    save_filters(path, saved)
