"""The steps of two runs in pairs, one line a pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size

from kimera_tui.runs.compare.comparison import Comparison
from kimera_tui.runs.compare.text import fact_of, mark_of
from kimera_tui.ui.runs.compare_detail import STATE, fact_lines, pair_lines, state_cell
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.widgets.lines import Line, LineView, Span

TIMES = 22
"""Cells for both times of a kind and their difference."""
_FIXED = 4 + 2 * STATE + TIMES
_SHORTEST_NAME = 12
_EXTRA = ("inputs", "workflow")
"""Rows above the steps, each only if it differs."""


class PairTable(LineView):
    """One line a step: how it ended in both runs, and how long it took."""

    empty_text = "Neither run has a step."

    def __init__(self, comparison: Comparison, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._inputs = [fact_of(change) for change in comparison.inputs]
        self._workflow = [safe(words, 300) for words in comparison.workflow]
        differs = {"inputs": self._inputs, "workflow": self._workflow}
        self._extra = [name for name in _EXTRA if differs[name]]
        self._pairs = comparison.steps
        self._divergent = [at + len(self._extra) for at in comparison.divergent]

    def on_mount(self) -> None:
        """Begin at the first step that differs."""
        self.lines_changed()
        self.move_cursor(self._divergent[0] if self._divergent else 0)

    def on_resize(self) -> None:
        """Share the new width out."""
        self.lines_changed()

    @property
    def heading(self) -> str:
        """The titles of the columns."""
        return "".join(
            [
                " " * 4,
                f"{'Step':<{self._name_cells}}",
                f"{'A':<{STATE}}{'B':<{STATE}}",
                f"{'wait A':>7}{'B':>7}{'':<8}" if self._has_room else "",
                f"{'ran A':>7}{'B':>7}",
            ]
        )

    @property
    def title(self) -> str:
        """What the line under the cursor is about."""
        at = self.cursor - len(self._extra)
        if at < 0:
            return self._extra[self.cursor]
        return self._pairs[at].name if self._pairs else ""

    @property
    def details(self) -> list[Line]:
        """How the line under the cursor differs."""
        at = self.cursor - len(self._extra)
        if at < 0 and self._extra[self.cursor] == "workflow":
            return [((f" {words}", ""),) for words in self._workflow]
        if at < 0:
            return [line for fact in self._inputs for line in fact_lines(fact)]
        return pair_lines(self._pairs[at]) if self._pairs else []

    def to_difference(self, by: int) -> bool:
        """Put the cursor on the next or previous step that differs, round the ends."""
        if not self._divergent:
            return False
        ahead = [at for at in self._divergent if (at - self.cursor) * by > 0]
        self.move_cursor((ahead or self._divergent)[0 if by > 0 else -1])
        return True

    def line_count(self) -> int:
        """How many steps there are, and what else differs."""
        return len(self._extra) + len(self._pairs)

    def line_at(self, index: int) -> Line:
        """A step with both states and times, or what else differs in a few words."""
        at = index - len(self._extra)
        if at < 0:
            name = self._extra[index]
            words = self._workflow if name == "workflow" else [fact.what for fact in self._inputs]
            return ((" ≠  ", "warning"), (f"{name}  ", "strong"), (safe(", ".join(words), 300), ""))
        pair = self._pairs[at]
        first = bool(self._divergent) and index == self._divergent[0]
        style = "bad" if first else "warning" if pair.differs else "dim"
        spans: list[Span] = [(f" {mark_of(pair)}  ", style)]
        spans.append((_fitted(safe(pair.name, 300), self._name_cells), "strong"))
        spans += [state_cell(pair.one), state_cell(pair.other)]
        sides = (pair.one, pair.other)
        if self._has_room:
            waited = [None if side is None else side.waited for side in sides]
            spans += _times(waited, pair.waited_longer)
        ran = [None if side is None else side.ran for side in sides]
        return [*spans, *_times(ran, pair.ran_longer)]

    @property
    def _has_room(self) -> bool:
        """Whether the time in the queue fits in too."""
        return self.size.width >= _FIXED + TIMES + 2 * _SHORTEST_NAME

    @property
    def _name_cells(self) -> int:
        times = TIMES if self._has_room else 0
        return max(_SHORTEST_NAME, self.size.width - _FIXED - times)


def _times(both: Sequence[float | None], longer: float | None) -> list[Span]:
    """Both times and their difference, in ``TIMES`` cells."""
    texts = [f"{'–' if each is None else took(max(0.0, each)):>7}" for each in both]
    if longer is None or abs(longer) < 0.05:
        return [("".join(texts), "dim"), (" " * 8, "")]
    sign = "+" if longer > 0 else "-"
    style = "warning" if longer > 0 else "good"
    return [("".join(texts), "dim"), (f"{sign + took(abs(longer)):>8}", style)]


def _fitted(text: str, cells: int) -> str:
    """The text in exactly so many cells, the last of which is blank."""
    if cell_len(text) >= cells:
        text = f"{set_cell_size(text, cells - 2)}…"
    return set_cell_size(text, cells)
