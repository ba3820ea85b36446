"""A search of runs as a tree, and the line that parses to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind = Literal[
    "word", "state", "friend", "task", "exc", "since", "run", "parent", "workflow", "saved"
]
KEYS: dict[str, Kind] = {
    "state": "state",
    "friend": "friend",
    "task": "task",
    "exc": "exc",
    "since": "since",
    "run": "run",
    "parent": "parent",
    "workflow": "workflow",
}
"""The words allowed before a colon."""
OPERATORS: dict[str, Literal["or", "and", "not"]] = {"or": "or", "and": "and", "not": "not"}
"""Words that are operators unless quoted, in lower case."""
_BARE = re.compile(r"[\w.][\w./@-]*")
"""A text that needs no quotes."""

Search: TypeAlias = "Term | Not | All | Any"
"""A condition on a run."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition, such as a word in the run's name, or the name of a saved filter."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    part: Search


@dataclass(frozen=True, slots=True)
class All:
    """All of some conditions; without any it matches every run."""

    parts: tuple[Search, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one of some conditions."""

    parts: tuple[Search, ...]


EVERYTHING: Search = All(())
"""The search of an empty line."""


def terms_of(search: Search) -> Iterator[Term]:
    """All terms, from the left."""
    match search:
        case Term():
            yield search
        case Not(part):
            yield from terms_of(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from terms_of(part)


def depth_of(search: Search) -> int:
    """How deeply conditions are nested."""
    match search:
        case Term():
            return 0
        case Not(part):
            return 1 + depth_of(part)
        case All(parts) | Any(parts):
            return 1 + max(map(depth_of, parts), default=0)


def written(search: Search) -> str:
    """The line for a search; ``query.parse`` turns it into the same tree."""
    match search:
        case Term("word", text):
            return _quoted(text)
        case Term("saved", text):
            return f"@{_quoted(text)}"
        case Term(kind, text):
            return f"{kind}:{_quoted(text)}"
        case Not(Not() as part):
            return f"not {written(part)}"
        case Not(part):
            return f"-{_part(part)}"
        case All(parts):
            return " ".join(map(_part, parts))
        case Any(parts):
            return " or ".join(
                _part(part) if isinstance(part, Any) else written(part) for part in parts
            )


def _part(part: Search) -> str:
    return f"({written(part)})" if isinstance(part, All | Any) else written(part)


def _quoted(text: str) -> str:
    if _BARE.fullmatch(text) and text.lower() not in OPERATORS:
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
