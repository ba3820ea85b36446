"""What is asked of past runs: the search line, read without knowing where the runs are kept."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import Literal

from kimera_tui.errors import UsageError
from kimera_tui.runs.status import Status

Kind = Literal["word", "state", "friend", "task", "exc"]
_KINDS: dict[str, Kind] = {"state": "state", "friend": "friend", "task": "task", "exc": "exc"}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


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


@dataclass(frozen=True, slots=True)
class Term:
    """One condition: the run has it, or with ``negated`` has it not."""

    kind: Kind
    text: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """All conditions of a search; an empty one finds everything."""

    terms: tuple[Term, ...] = ()
    since: float | None = field(default=None)
    """Seconds before now; runs that started earlier are left out."""


def parse(line: str) -> Search:
    """Read a search line such as ``report -draft state:failed exc:Timeout since:2h``.

    Raises:
        UsageError: a quote is open, ``since:`` has no duration, or there is no such state.
    """
    terms: list[Term] = []
    since: float | None = None
    for word in _words(line):
        negated = word.startswith("-") and len(word) > 1
        body = word[1:] if negated else word
        key, colon, rest = body.partition(":")
        if colon and rest and key == "since" and not negated:
            since = seconds_of(rest)
        elif colon and rest and key in _KINDS:
            if key == "state":
                _check_state(rest)
            terms.append(Term(_KINDS[key], rest, negated))
        elif body:
            terms.append(Term("word", body, negated))
    return Search(tuple(terms), since)


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


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    lexer.escape = ""
    lexer.quotes = '"'
    try:
        return list(lexer)
    except ValueError:
        raise UsageError('The search has a " without its end.') from None
