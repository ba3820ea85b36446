"""The saved filters of past runs, as screen and commands ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from kimera_tui.config.saved_searches import filter_name, filters_file, load_filters, save_filters
from kimera_tui.console.ports import SavedFilter
from kimera_tui.errors import UsageError, near
from kimera_tui.runs.search.query import parse, resolve
from kimera_tui.runs.search.tree import Term, terms_of


class FilterParts:
    """Reads and writes the file of filters, beside the loop."""

    async def filters(self) -> Sequence[SavedFilter]:
        """The saved filters by their names, those that can't be used too.

        Raises:
            ConfigError: the file can't be read.
        """
        saved = await asyncio.to_thread(load_filters, filters_file())
        return [_told(name, saved) for name in sorted(saved)]

    async def save_filter(self, name: str, line: str) -> None:
        """Save a search under a name, in place of the one that had it.

        Raises:
            UsageError: the name or the search is wrong.
            ConfigError: the file can't be read or written.
        """
        await asyncio.to_thread(_save, filter_name(name), line.strip())

    async def delete_filter(self, name: str) -> None:
        """Forget a saved filter; raises as ``save_filter``, and where there is none."""
        await asyncio.to_thread(_delete, name)

    async def saved_for(self, search: str) -> Mapping[str, str]:
        """The lines of the saved filters, if a search names any.

        Raises:
            UsageError: the search can't be understood, or the file can't be read.
        """
        if all(term.kind != "saved" for term in terms_of(parse(search))):
            return {}
        return await asyncio.to_thread(load_filters, filters_file())


def _told(name: str, saved: Mapping[str, str]) -> SavedFilter:
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
