"""Write a document as YAML that reads well in git, keeping comments and order of the old text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.document import KINDS, STEP_LISTS, Document
from kimera_tui.documents.dump import plain_document
from kimera_tui.documents.layout import Block, NotCut, Piece, cut, shifted
from kimera_tui.documents.parse import read_formed
from kimera_tui.errors import ConfigError
from kimera_tui.yaml.writing import WIDTH, dashed, lines_of, on_one_line

Plain = Mapping[str, Any]
_OPEN = ("inputs", "defaults")
"""Mappings that are never written on one line."""


def text_of(document: Document, old: str = "") -> str:
    """The text of a file for a document.

    Args:
        document: The document.
        old: The current content of the file; empty for a new file.

    Raises:
        ConfigError: the document has a value that YAML cannot hold.
    """
    plain = plain_document(document)
    old_data = _parsed(old) if old else None
    if old_data is not None:
        if equal(old_data, plain):
            return old
        kept = _over(old, old_data, plain)
        if kept is not None and equal(_parsed(kept), plain):
            return kept
    text = "\n".join(_Weaver().mapping(plain, {}, Block(0), 0, holder=True)) + "\n"
    try:
        written = plain_document(read_formed(text, "its text"))
    except ConfigError as error:
        raise ConfigError(f"Cannot save: {error}") from None
    if not equal(written, plain):
        raise ConfigError("Cannot save: a value would be read back as another one.")
    return text


def equal(one: Any, other: Any) -> bool:
    """Whether two plain values are equal and of the same types."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _parsed(text: str) -> dict[str, Any] | None:
    """The document in a text, as plain values; None if it is not one."""
    try:
        return plain_document(read_formed(text, ""))
    except ConfigError:
        return None


def _over(old: str, old_data: Plain, plain: Plain) -> str | None:
    """The old text with the new values; None if it cannot be cut into pieces."""
    unix = old.replace("\r\n", "\n")
    try:
        block = cut(unix)
    except NotCut:
        return None
    weaver = _Weaver()
    weaver.match(_steps(plain), _known(block, old_data))
    text = "\n".join(weaver.mapping(plain, old_data, block, 0, holder=True)) + "\n"
    return text if unix == old else text.replace("\n", "\r\n")


@dataclass(frozen=True, slots=True)
class _Known:
    """A step of the old text."""

    piece: Piece
    was: Plain


def _known(block: Block, old_data: Plain) -> Iterator[_Known]:
    """The steps that have lines of their own."""
    for key, piece in block.keys.items():
        steps = old_data.get(key)
        if piece.inner is None or not isinstance(steps, list):
            continue
        for each, was in zip(piece.inner.steps, steps, strict=False):
            yield _Known(each, was)
            if each.inner is not None:
                yield from _known(each.inner, was)


def _steps(plain: Plain) -> Iterator[dict[str, Any]]:
    """Every step of a plain document or step, parents before children."""
    for name in STEP_LISTS:
        if isinstance(steps := plain.get(name), list):
            for step in steps:
                yield step
                yield from _steps(step)


def _likeness(step: Plain) -> tuple[str, ...]:
    """What a renamed step still has in common with the old one."""
    kind = next(kind for kind in KINDS if kind in step)
    return (kind, step["task"]) if kind == "task" else (kind, step[kind][0]["id"])


@dataclass(slots=True)
class _Weaver:
    """Weaves new values into the pieces of an old text."""

    _pieces: dict[int, _Known] = field(default_factory=dict)
    """By the identity of the new step."""

    def match(self, new: Iterable[Plain], old: Iterable[_Known]) -> None:
        """Match each new step with an old one: by id, or else the next similar one."""
        by_id, like = defaultdict[Any, list[_Known]](list), defaultdict[Any, list[_Known]](list)
        for known in old:
            by_id[known.was["id"]].append(known)
        renamed = []
        for step in new:
            if same := by_id[step["id"]]:
                self._pieces[id(step)] = same.pop(0)
            else:
                renamed.append(step)
        for left in by_id.values():
            for known in left:
                like[_likeness(known.was)].append(known)
        for step in renamed:
            if likely := like[_likeness(step)]:
                self._pieces[id(step)] = likely.pop(0)

    def mapping(
        self, new: Plain, old: Plain, block: Block, column: int, *, holder: bool
    ) -> list[str]:
        """The lines of a mapping.

        Args:
            new: The new values.
            old: The old values.
            block: The old lines.
            column: Column of its keys.
            holder: Whether it may contain steps.
        """
        by = column - block.column
        lines: dict[str, list[str]] = {}
        for key, piece in block.keys.items():
            if key in new:
                lines[key] = self._key(key, new, old, piece, by, holder=holder)
            elif key not in old:  # a default that the old text spelled out may stay
                lines[key] = shifted([*piece.lead, *piece.raw], by)
        order, place = list(lines), 0
        for key in new:
            if key not in lines:
                fresh = self._fresh(key, new[key], column, holder=holder)
                is_part = "kimera" in new and len(fresh) > 1 and not isinstance(new[key], str)
                lines[key] = ["", *fresh] if is_part else fresh
                order.insert(place, key)
            place = order.index(key) + 1
        return [line for key in order for line in lines[key]] + shifted(block.tail, by)

    def _key(
        self, key: str, new: Plain, old: Plain, piece: Piece, by: int, *, holder: bool
    ) -> list[str]:
        value, was = new[key], old.get(key)
        lead, column = shifted(piece.lead, by), piece.column + by
        if key in old and equal(value, was):
            return lead + shifted(piece.raw, by)
        inner = piece.inner
        if inner is not None and value:
            inside = column + inner.column - piece.column
            head = [*lead, *shifted([piece.head], by)]
            if inner.keys and isinstance(value, dict):
                was = was if isinstance(was, dict) else {}
                return head + self.mapping(value, was, inner, inside, holder=False)
            if inner.steps and isinstance(value, list):
                return head + self._list(value, inner, inside)
        first, *rest = self._fresh(key, value, column, holder=holder)
        return [*lead, first + piece.comment, *rest, *shifted(piece.after, by)]

    def _fresh(self, key: str, value: Any, column: int, *, holder: bool) -> list[str]:
        """The lines of a key that is new, or whose value was of another kind."""
        if holder and key in STEP_LISTS and isinstance(value, list) and value:
            steps = self._list(value, Block(column + 2), column + 2)
            return [" " * column + f"{key}:", *steps]
        lines = lines_of(key, value, short=not (holder and key in _OPEN))
        return shifted(lines, column)

    def _list(self, steps: Sequence[Plain], block: Block, dash: int) -> list[str]:
        """The lines of a list of steps."""
        leads = [piece.lead[:1] for piece in block.steps[1:]]
        spaced = bool(leads) and all(lead == [""] for lead in leads)
        lines: list[str] = []
        for step in steps:
            own = self._step(step, dash)
            if spaced and not lines and leads[0] != block.steps[0].lead[:1]:
                own = own[1:] if not own[0] else own
            elif spaced and lines and own[0] and lines[-1]:
                lines.append("")
            lines += own
        return lines + shifted(block.tail, dash - block.column)

    def _step(self, step: Plain, dash: int) -> list[str]:
        known = self._pieces.get(id(step))
        if known is None:
            lines = self.mapping(step, {}, Block(0), 0, holder=True)
            return shifted(dashed(lines), dash)
        piece, was = known.piece, known.was
        column = dash + piece.column - piece.edge
        lead = shifted(piece.lead, dash - piece.edge)
        if equal(step, was):
            lines = shifted(piece.raw, column - piece.column)
        elif piece.inner is not None:
            lines = self.mapping(step, was, piece.inner, column, holder=True)
        else:
            lines = self._in_brackets(step, piece, column)
        return lead + (lines if piece.below_dash else _with_dash(lines, dash, column))

    def _in_brackets(self, step: Plain, piece: Piece, column: int) -> list[str]:
        """The lines of a step that was in brackets; it stays in brackets if it fits."""
        text = on_one_line(step)
        if "\n" in text or len(text) > WIDTH - column or any(_steps(step)):
            lines = self.mapping(step, {}, Block(0), 0, holder=True)
        else:
            lines = [text]
        lines[0] += piece.comment
        return shifted([*lines, *shifted(piece.after, -piece.column)], column)


def _with_dash(lines: Sequence[str], dash: int, column: int) -> list[str]:
    """The lines of a step with its dash; comments above its first key go above the dash."""
    first = next(n for n, line in enumerate(lines) if line.strip() and line.lstrip()[0] != "#")
    head = " " * dash + "-" + " " * (column - dash - 1) + lines[first][column:]
    return [*shifted(lines[:first], dash - column), head, *lines[first + 1 :]]
