"""Cut the text of a workflow file into pieces: each key and step with its lines and comments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from kimera_tui.documents.document import STEP_LISTS
from kimera_tui.yaml.reading import LOADER

_COMMENT = re.compile(r"\s+#.*")
_DASH = re.compile(r" *- *")
_LONE_DASH = re.compile(r" *-( *| +#.*)")
_KEEPS_BLANKS = re.compile(r"[|>]\d?\+")
_OTHER_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class NotCut(Exception):
    """The text cannot be cut into lines."""


@dataclass(slots=True)
class Piece:
    """A key with its value, or a step of a list, with its comments."""

    column: int
    """Column of its key, or of a step's first key."""
    edge: int
    """Column where it begins; for a step, the column of its dash."""
    lead: list[str]
    """Lines above it."""
    raw: list[str]
    """Its own lines; in a step's first one, spaces replace the dash."""
    comment: str = ""
    """The comment after the key or value, with the space before it."""
    after: list[str] = field(default_factory=list)
    """Comments below it with a deeper indent."""
    inner: Block | None = None
    """Its content, if that has its own lines."""
    below_dash: bool = False
    """Whether its dash has a line of its own, within ``lead``."""

    @property
    def head(self) -> str:
        """The line of its key."""
        return self.raw[0]


@dataclass(slots=True)
class Block:
    """The keys of a mapping, or the steps of a list."""

    column: int
    keys: dict[str, Piece] = field(default_factory=dict)
    steps: list[Piece] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    """Comments below the last one."""


@dataclass(slots=True)
class _Node:
    """A value and its position: lines and columns from 0, the end after the last character."""

    kind: str
    flow: bool
    line: int
    column: int
    end: tuple[int, int] = (0, 0)
    text: str = ""
    style: str = ""
    children: list[_Node] = field(default_factory=list)
    """Items of a list; keys and values of a mapping in turn."""


def cut(text: str) -> Block:
    """Cut a text that holds one plain mapping.

    Raises:
        NotCut: it cannot be cut into lines.
    """
    root = _tree(text)
    if root is None or root.kind != "map" or root.flow or _OTHER_BREAKS.search(text):
        raise NotCut
    cutter = _Cutter(text.removesuffix("\n").split("\n"))
    return cutter.document(root)


def shifted(lines: Sequence[str], by: int) -> list[str]:
    """Indent lines by some columns; a negative number removes up to that many spaces."""
    if by >= 0:
        return [" " * by + line if line else line for line in lines]
    return [line[min(-by, _indent(line)) :] for line in lines]


def _tree(text: str) -> _Node | None:
    """The values of a text with their positions."""
    stack: list[_Node] = []
    root: _Node | None = None
    events: Any = yaml.parse(text, Loader=LOADER)
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            _end(stack.pop(), event)
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        node = _node(event)
        root = root or node
        if stack:
            stack[-1].children.append(node)
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(node)
    return root


def _node(event: Any) -> _Node:
    start, end = event.start_mark, event.end_mark
    line, column = start.line, start.column
    if isinstance(event, yaml.ScalarEvent):
        style = event.style or ""
        return _Node("text", False, line, column, (end.line, end.column), event.value, style)
    kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
    return _Node(kind, bool(event.flow_style), line, column)


def _end(node: _Node, event: Any) -> None:
    # PyYAML ends a block where the next token begins.
    node.end = (event.end_mark.line, event.end_mark.column) if node.flow else node.children[-1].end


@dataclass(slots=True)
class _Cutter:
    lines: list[str]

    def document(self, root: _Node) -> Block:
        block = self._mapping(root, 0, holder=True)
        last = list(block.keys.values())[-1]
        block.tail = self._spread(last, self._below(root.children[-1], len(self.lines)))
        return block

    def _mapping(self, node: _Node, above: int, *, holder: bool) -> Block:
        """Cut a mapping.

        Args:
            node: The mapping.
            above: The first line that belongs to it.
            holder: Whether it may contain steps.
        """
        block = Block(node.column)
        previous: Piece | None = None
        pairs = list(zip(node.children[::2], node.children[1::2], strict=True))
        for number, (key, value) in enumerate(pairs):
            if number and self.lines[key.line][: key.column].strip():
                raise NotCut
            lead = self.lines[above : key.line]
            if previous is not None:
                lead = self._spread(previous, lead)
            piece = self._piece(key, value, lead, holder=holder)
            block.keys[key.text] = previous = piece
            above = self._last_line(value) + 1
        return block

    def _piece(self, key: _Node, value: _Node, lead: list[str], *, holder: bool) -> Piece:
        stop = self._last_line(value) + 1
        raw = self.lines[key.line : stop]
        raw[0] = " " * key.column + raw[0][key.column :]
        piece = Piece(key.column, key.column, lead, raw)
        if value.kind == "map" and not value.flow:
            piece.inner = self._mapping(value, key.line + 1, holder=False)
        elif holder and key.text in STEP_LISTS and value.kind == "list" and not value.flow:
            piece.inner = self._steps(value, key.line + 1)
        if piece.inner is not None:
            piece.comment = self._comment(key.end[0], key.end[1] + 1)
        elif value.style not in ("|", ">"):
            piece.comment = self._comment(*value.end)
        return piece

    def _steps(self, node: _Node, above: int) -> Block:
        block = Block(-1)
        previous: Piece | None = None
        for step in node.children:
            if step.kind != "map":
                raise NotCut
            lead = self.lines[above : step.line]
            block.column, below_dash = self._dash(step, above)
            if previous is not None:
                lead = self._spread(previous, lead)
            stop = self._last_line(step) + 1
            raw = self.lines[step.line : stop]
            raw[0] = " " * step.column + raw[0][step.column :]
            previous = Piece(step.column, block.column, lead, raw, below_dash=below_dash)
            if step.flow:
                previous.comment = self._comment(*step.end)
            else:
                previous.inner = self._mapping(step, step.line, holder=True)
            block.steps.append(previous)
            above = stop
        return block

    def _dash(self, step: _Node, above: int) -> tuple[int, bool]:
        """The column of a step's dash, and whether the dash is on a line above the step."""
        prefix = self.lines[step.line][: step.column]
        if _DASH.fullmatch(prefix):
            return prefix.index("-"), False
        for line in () if prefix.strip() else self.lines[above : step.line]:
            if _LONE_DASH.fullmatch(line):
                return line.index("-"), True
        raise NotCut

    def _spread(self, piece: Piece, gap: list[str]) -> list[str]:
        """Give a piece the lines below it that are indented deeper; return the others."""
        mine = _deeper(gap, piece.edge)
        inside, rest = gap[:mine], gap[mine:]
        if not inside:
            return rest
        piece.raw += inside
        if piece.inner is None:
            piece.after += inside
            return rest
        children = piece.inner.steps or list(piece.inner.keys.values())
        piece.inner.tail += self._spread(children[-1], inside)
        return rest

    def _below(self, node: _Node, stop: int) -> list[str]:
        return self.lines[self._last_line(node) + 1 : stop]

    def _last_line(self, node: _Node) -> int:
        """The line on which a value ends."""
        while node.kind != "text" and not node.flow:
            node = node.children[-1]
        line, column = node.end
        if node.style not in ("|", ">"):
            return line
        line = min(line - (column == 0), len(self.lines) - 1)
        if not _KEEPS_BLANKS.match(self.lines[node.line], node.column):
            while line > node.line and not self.lines[line].strip():
                line -= 1
        return line

    def _comment(self, line: int, column: int) -> str:
        """The comment after a position, with the space before it."""
        comment = _COMMENT.fullmatch(self.lines[line], column)
        return comment[0].rstrip() if comment else ""


def _deeper(lines: Sequence[str], column: int) -> int:
    """How many leading lines are indented deeper; blank lines count only between those."""
    count = 0
    for number, line in enumerate(lines, 1):
        if line.strip():
            if _indent(line) <= column:
                break
            count = number
    return count


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
