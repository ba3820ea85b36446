"""What is asked of past runs: the search line, read without knowing where the runs are kept."""

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
"""Characters of a search line."""
MAX_TERMS = 100
MAX_DEPTH = 20
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

ENDED_BADLY: Search = Any(tuple(Term("state", status.value) for status in Status if status.bad))
"""Runs that ended, and not well."""


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run, as a list of runs shows it."""

    run_id: str
    name: str
    status: str
    """A word of ``runs.status.Status``."""
    started: float
    """Seconds since the epoch, as ``ended``."""
    ended: float | None
    """None while the run is open."""
    done: int
    total: int
    """How many steps."""
    friends: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    error: str = ""
    parent: str = ""
    """The run that this one replays, or an empty string."""


def parse(line: str) -> Search:
    """Read a line such as ``report -draft (state:failed or exc:Timeout) since:2h``.

    Terms side by side must all be met; ``not`` or a minus binds closer than that, ``or`` or ``|``
    looser. What stands in quotes is a word, with ``""`` for a quote in it.

    Raises:
        UsageError: the line can't be read; the message says what is wrong.
    """
    _check_text(line)
    return _checked(_Reader(tokens_of(line)).whole())


def resolve(search: Search, saved: Mapping[str, str], asking: Sequence[str] = ()) -> Search:
    """Put the searches of saved filters in for their names.

    Args:
        search: What may have such names in it.
        saved: The filters' lines by their names.
        asking: The filters in which ``search`` stands, the outermost first.

    Raises:
        UsageError: there is no such filter, it can't be read, or it asks for itself.
    """
    match search:
        case Term("saved", name):
            return _checked(_saved(name, saved, asking))
        case Term():
            return search
        case Not(part):
            return Not(resolve(part, saved, asking))
        case All(parts):
            return _checked(All(tuple(resolve(part, saved, asking) for part in parts)))
        case Any(parts):
            return _checked(Any(tuple(resolve(part, saved, asking) for part in parts)))


def _saved(name: str, saved: Mapping[str, str], asking: Sequence[str]) -> Search:
    if name in asking:
        raise UsageError(f"The saved filter `{name}` asks for itself.")
    if name not in saved:
        raise UsageError(f"No saved filter `{name}`.{near(name, saved)}")
    if len(asking) == MAX_DEPTH:
        raise UsageError(f"Saved filters ask for each other more than {MAX_DEPTH} deep.")
    try:
        return resolve(_not_empty(saved[name]), saved, [*asking, name])
    except UsageError as error:
        raise UsageError(f"Saved filter `{name}`: {error}") from None


def _not_empty(line: str) -> Search:
    if (search := parse(line)) == EVERYTHING:
        raise UsageError("It is empty.")
    return search


class _Reader:
    """Makes a tree of tokens, from the left."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Search:
        if not self._tokens:
            return EVERYTHING
        found = self._any()
        if self._kind is not None:
            raise UsageError("The search has a ) without its (.")
        return found

    @property
    def _kind(self) -> str | None:
        """What comes next; None at the end."""
        return self._tokens[self._at].kind if self._at < len(self._tokens) else None

    def _passed(self, kind: str) -> bool:
        if self._kind != kind:
            return False
        self._at += 1
        return True

    def _any(self) -> Search:
        parts = [self._all()]
        while self._passed("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _all(self) -> Search:
        parts = [self._one()]
        while self._kind not in (None, "or", ")"):
            self._passed("and")
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Search:
        if self._kind in (None, "or", "and", ")"):
            raise UsageError(self._nothing_there())
        token = self._tokens[self._at]
        self._at += 1
        if token.kind == "word":
            return _term(token)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UsageError(_TOO_DEEP)
        found: Search = Not(self._one()) if token.kind == "not" else self._group()
        self._depth -= 1
        return found

    def _group(self) -> Search:
        found = self._any()
        if not self._passed(")"):
            raise UsageError("The search has a ( without its ).")
        return found

    def _nothing_there(self) -> str:
        """Why no condition stands where one has to."""
        before = self._tokens[self._at - 1] if self._at else None
        if before is not None and before.kind != "(":
            return f"Nothing stands after `{before.text}`; in quotes it is a word."
        if self._kind is None:
            return "The search has a ( without its )."
        if self._kind == ")":
            return f"The search has {'a ) without its (' if before is None else 'an empty ( )'}."
        return f"Nothing stands before `{self._tokens[self._at].text}`; in quotes it is a word."


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
        raise UsageError(f"The search has {len(line)} characters; the most is {LONGEST}.")
    if any(unicodedata.category(c) in ("Cc", "Cs") and not c.isspace() for c in line):
        raise UsageError("The search has a control character in it, or what is no UTF-8.")


def _check_state(text: str) -> None:
    if not any(status.value.startswith(text.lower()) for status in Status):
        known = ", ".join(status.value for status in Status)
        raise UsageError(f"state: none begins with `{text}`; the states are {known}.")


def seconds_of(text: str) -> float:
    """The seconds in a duration such as ``45s``, ``30m``, ``2h``, ``3d`` or ``1h30m``.

    Raises:
        UsageError: it is no duration.
    """
    if re.fullmatch(r"(?:\d{1,6}[smhdw])+", text) is None:
        raise UsageError(f"since: `{text}` is no duration; write 30m, 2h or 3d.")
    return float(sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([smhdw])", text)))
