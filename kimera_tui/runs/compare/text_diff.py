"""How one text became another: the lines that differ, or where a long line begins to."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import takewhile

MOST_LINES = 100
"""Lines of either text that are compared, from the first to the last that differs."""
LONGEST_LINE = 400
"""The most characters told of a line."""
_CONTEXT = 1
_LEAD = 20


def line_changes(old: str, new: str) -> tuple[str, ...]:
    """The lines taken out (``-``) and put in (``+``), with a line around them, as diff writes them.

    Empty for texts that differ from end to end and are too long for it.
    """
    before, after = old.split("\n"), new.split("\n")
    head = max(0, _shared(before, after) - _CONTEXT)
    before, after = before[head:], after[head:]
    tail = max(0, _shared(before[::-1], after[::-1]) - _CONTEXT)
    before, after = before[: len(before) - tail], after[: len(after) - tail]
    if max(len(before), len(after)) > MOST_LINES:
        return ()
    lines = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        lines.append(f"@@ line {head + group[0][1] + 1} @@")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [f" {line}" for line in before[i1:i2]]
            else:
                lines += [f"-{line}" for line in before[i1:i2]]
                lines += [f"+{line}" for line in after[j1:j2]]
    return tuple(line[:LONGEST_LINE] for line in lines)


def from_difference(old: str, new: str) -> tuple[str, str]:
    """Both texts from shortly before the first character that differs."""
    start = _shared(old, new) - _LEAD
    return (old, new) if start <= _LEAD else (f"…{old[start:]}", f"…{new[start:]}")


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines, or characters, are the same at the beginning of both."""
    both = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))
