"""A search of runs without a database: what SQL has to agree with."""

from __future__ import annotations

from kimera_tui.runs.search.query import RunRow, seconds_of
from kimera_tui.runs.search.tree import All, Any, Not, Search, Term
from kimera_tui.runs.status import Status


def meets(search: Search, row: RunRow, now: float, step_errors: tuple[str, ...] = ()) -> bool:
    """Whether a run is what a search without names of saved filters asks for."""
    match search:
        case Term(kind, text):
            return _has(kind, text, row, now, step_errors)
        case Not(part):
            return not meets(part, row, now, step_errors)
        case All(parts):
            return all(meets(part, row, now, step_errors) for part in parts)
        case Any(parts):
            return any(meets(part, row, now, step_errors) for part in parts)


def _has(kind: str, text: str, row: RunRow, now: float, step_errors: tuple[str, ...]) -> bool:
    if kind == "since":
        return row.started >= now - seconds_of(text)
    if kind == "state":
        names = (row.status, Status(row.status).short)
        return any(_small(name).startswith(_small(text)) for name in names)
    if kind in ("run", "parent"):
        found = {"run": row.run_id, "parent": row.parent}[kind]
        return _small(found).startswith(_small(text))
    places = {
        "word": (row.name, *row.tasks),
        "workflow": (row.name,),
        "friend": row.friends,
        "task": row.tasks,
        "exc": (row.error, *step_errors),
    }[kind]
    return any(_small(text) in _small(place) for place in places)


def _small(text: str) -> str:
    """In small letters, as far as SQLite's LIKE takes them for the same: A to Z."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)
