"""What a search of past runs asks for, as a tree, and the line that asks for the same."""

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
"""What may stand before a colon."""
OPERATORS: dict[str, Literal["or", "and", "not"]] = {"or": "or", "and": "and", "not": "not"}
"""Words that mean something else than themselves, in small letters."""
_BARE = re.compile(r"[\w.][\w./@-]*")
"""A text that needs no quotes."""

Search: TypeAlias = "Term | Not | All | Any"
"""What a run is to be like."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition, such as a word that the run has, or the name of a saved filter."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Not:
    """What is not so."""

    part: Search


@dataclass(frozen=True, slots=True)
class All:
    """All of some conditions; with none of them it finds every run."""

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
    """How many conditions lie within each other."""
    match search:
        case Term():
            return 0
        case Not(part):
            return 1 + depth_of(part)
        case All(parts) | Any(parts):
            return 1 + max(map(depth_of, parts), default=0)


def written(search: Search) -> str:
    """The line that asks for it: ``history.parse`` makes the same tree of that."""
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
