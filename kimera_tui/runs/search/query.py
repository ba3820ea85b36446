"""The search line of runs, parsed into a tree and independent of how runs are stored."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kimera_tui.errors import UsageError, near
from kimera_tui.runs.search.tokens import Token, tokens_of
from kimera_tui.runs.search.tree import (
    EVERYTHING,
    KEYS,
    All,
    Any,
    Not,
    Search,
    Term,
    depth_of,
    terms_of,
)
from kimera_tui.runs.status import Status

LONGEST = 4000
"""Maximum characters of a search line."""
MAX_TERMS = 100
MAX_DEPTH = 20
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

ENDED_BADLY: Search = Any(tuple(Term("state", status.value) for status in Status if status.bad))
"""Runs that ended other than as intended."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run as a row of a list."""

    run_id: str
    name: str
    status: str
    """A value of ``runs.status.Status``."""
    started: float
    """Seconds since the epoch, like ``ended``."""
    ended: float | None
    """None while the run is open."""
    done: int
    """How many of the ``total`` steps are done."""
    total: int
    friends: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    error: str = ""
    parent: str = ""
    """The run that this one replays, or an empty string."""
    cancelling: tuple[int, int] | None = None
    """While it is being cancelled: how many tasks that were in flight have ended, of how many."""


def parse(line: str) -> Search:
    """Parse a line such as ``report -draft (state:failed or exc:Timeout) since:2h``.

    Adjacent terms must all match; ``not`` or a minus binds more tightly than that, ``or`` or ``|``
    less tightly. Quoted text is a word; ``""`` stands for a quote within it.

    Raises:
        UsageError: the line is invalid; the message says why.
    """
    _check_text(line)
    return _checked(_Parser(tokens_of(line)).whole())


def resolve(search: Search, saved: Mapping[str, str], within: Sequence[str] = ()) -> Search:
    """Replace the names of saved filters by their searches.

    Args:
        search: A search that may contain such names.
        saved: The filters' lines by their names.
        within: The filters that ``search`` is part of, the outermost first.

    Raises:
        UsageError: a filter does not exist, is invalid, or refers to itself.
    """
    match search:
        case Term("saved", name):
            return _checked(_saved(name, saved, within))
        case Term():
            return search
        case Not(part):
            return Not(resolve(part, saved, within))
        case All(parts):
            return _checked(All(tuple(resolve(part, saved, within) for part in parts)))
        case Any(parts):
            return _checked(Any(tuple(resolve(part, saved, within) for part in parts)))


def _saved(name: str, saved: Mapping[str, str], within: Sequence[str]) -> Search:
    if name in within:
        raise UsageError(f"The saved filter `{name}` refers to itself.")
    if name not in saved:
        raise UsageError(f"No saved filter `{name}`.{near(name, saved)}")
    if len(within) == MAX_DEPTH:
        raise UsageError(f"Saved filters refer to each other more than {MAX_DEPTH} deep.")
    try:
        return resolve(_not_empty(saved[name]), saved, [*within, name])
    except UsageError as error:
        raise UsageError(f"Saved filter `{name}`: {error}") from None


def _not_empty(line: str) -> Search:
    if (search := parse(line)) == EVERYTHING:
        raise UsageError("It is empty.")
    return search


class _Parser:
    """Builds the tree from the tokens, by recursive descent."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Search:
        if not self._tokens:
            return EVERYTHING
        search = self._any()
        if self._kind is not None:
            raise UsageError("The search has a ) without its (.")
        return search

    @property
    def _kind(self) -> str | None:
        """The kind of the next token; None at the end."""
        return self._tokens[self._at].kind if self._at < len(self._tokens) else None

    def _accept(self, kind: str) -> bool:
        if self._kind != kind:
            return False
        self._at += 1
        return True

    def _any(self) -> Search:
        parts = [self._all()]
        while self._accept("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self) -> Search:
        parts = [self._one()]
        while self._kind not in (None, "or", ")"):
            self._accept("and")
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Search:
        if self._kind in (None, "or", "and", ")"):
            raise UsageError(self._missing_term())
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "word":
            return _term(token)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UsageError(_TOO_DEEP)
        search: Search = Not(self._one()) if token.kind == "not" else self._group()
        self._depth -= 1
        return search

    def _group(self) -> Search:
        search = self._any()
        if not self._accept(")"):
            raise UsageError("The search has a ( without its ).")
        return search

    def _missing_term(self) -> str:
        """Say what is wrong where a term is expected."""
        previous = self._tokens[self._at - 1] if self._at else None
        if previous is not None and previous.kind != "(":
            return f"Nothing follows `{previous.text}`; put it in quotes to search for it."
        if self._kind is None:
            return "The search has a ( without its )."
        if self._kind == ")":
            return f"The search has {'a ) without its (' if previous is None else 'an empty ( )'}."
        following = self._tokens[self._at].text
        return f"Nothing precedes `{following}`; put it in quotes to search for it."


_TOO_DEEP = f"The search is nested more than {MAX_DEPTH} deep."


def _term(token: Token) -> Search:
    if token.plain and token.text.startswith("@") and len(token.text) > 1:
        return Term("saved", token.text[1:])
    key, colon, rest = token.text.partition(":")
    if not (colon and rest and key in KEYS and len(key) < token.plain):
        return Term("word", token.text)
    if key == "state":
        _check_state(rest)
    elif key == "since":
        seconds_of(rest)
    return Term(KEYS[key], rest)


def _checked(search: Search) -> Search:
    if sum(1 for _ in terms_of(search)) > MAX_TERMS:
        raise UsageError(f"The search has more than {MAX_TERMS} terms.")
    if depth_of(search) > MAX_DEPTH:
        raise UsageError(_TOO_DEEP)
    return search


def _check_text(line: str) -> None:
    if len(line) > LONGEST:
        raise UsageError(f"The search has {len(line)} characters; the maximum is {LONGEST}.")
    if any(unicodedata.category(c) in ("Cc", "Cs") and not c.isspace() for c in line):
        raise UsageError("The search contains a control character or invalid UTF-8.")


def _check_state(text: str) -> None:
    names = [name for status in Status for name in (status.value, status.short)]
    if not any(name.startswith(text.lower()) for name in names):
        known = ", ".join(status.short for status in Status)
        raise UsageError(f"state: no state begins with `{text}`; the states are {known}.")


def seconds_of(text: str) -> float:
    """The seconds in a duration such as ``45s``, ``30m``, ``2h``, ``3d`` or ``1h30m``.

    Raises:
        UsageError: it is not a duration.
    """
    if re.fullmatch(r"(?:\d{1,6}[smhdw])+", text) is None:
        raise UsageError(f"since: `{text}` is not a duration; write 30m, 2h or 3d.")
    return float(sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text)))
