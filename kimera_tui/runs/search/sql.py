"""A search as SQL: a condition on the journal's table of runs, with every text as a parameter."""

from __future__ import annotations

import json

from kimera_tui.runs.search.query import seconds_of
from kimera_tui.runs.search.tree import All, Any, Not, Search, Term
from kimera_tui.runs.status import Status

Values = dict[str, str | float]
"""Parameters by their names."""


STATUS = (
    "CASE WHEN run.ended IS NOT NULL OR (run.owner != '' AND run.lease_until >= :now)"
    " THEN run.status WHEN run.detached THEN 'handed over' ELSE 'interrupted' END"
)
"""A run's state: an open run without a living owner is interrupted, unless workers have it."""


def _in_list(column: str) -> str:
    """Whether an entry of a JSON list contains a text.

    A search of the JSON text comes first, because it is far cheaper than parsing it. Alone it is
    not enough: it also finds the brackets and quotes around the entries.
    """
    each = f"SELECT 1 FROM json_each(run.{column}) WHERE value LIKE :x ESCAPE '\\'"  # noqa: S608 - a constant
    return f"(run.{column} LIKE :xj ESCAPE '\\' AND EXISTS ({each}))"


_HAS: dict[str, str] = {
    "word": f"(run.name LIKE :x ESCAPE '\\' OR {_in_list('tasks')})",
    "state": f"(({STATUS}) LIKE :x ESCAPE '\\' OR"
    f" (({STATUS}) = '{Status.RESULT_UNKNOWN}'"
    f" AND '{Status.RESULT_UNKNOWN.short}' LIKE :x ESCAPE '\\'))",
    "friend": _in_list("friends"),
    "task": _in_list("tasks"),
    "exc": "(run.error LIKE :x ESCAPE '\\' OR EXISTS (SELECT 1 FROM step"
    " WHERE step.run = run.key AND step.error LIKE :x ESCAPE '\\'))",
    "since": "run.started >= :now - :x",
    "run": "run.run_id LIKE :x ESCAPE '\\'",
    "parent": "run.parent LIKE :x ESCAPE '\\'",
    "workflow": "run.name LIKE :x ESCAPE '\\'",
}
_PREFIXES = ("state", "run", "parent")
"""Kinds of terms whose text must match from the beginning."""


def condition(search: Search, values: Values) -> str:
    """The condition on a row of ``run``.

    Args:
        search: The search, without names of saved filters.
        values: The parameters so far, including ``now``; those of the search are added.
    """
    match search:
        case Term(kind, text):
            name = f"x{len(values)}"
            values[name] = seconds_of(text) if kind == "since" else _pattern(kind, text)
            values[f"{name}j"] = _pattern(kind, json.dumps(text)[1:-1])
            return f"({_HAS[kind].replace(':x', f':{name}')})"
        case Not(part):
            return f"(NOT {condition(part, values)})"
        case All(parts):
            return f"({' AND '.join(condition(part, values) for part in parts) or 1})"
        case Any(parts):
            return f"({' OR '.join(condition(part, values) for part in parts) or 0})"


def _pattern(kind: str, text: str) -> str:
    literal = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"{literal}%" if kind in _PREFIXES else f"%{literal}%"
