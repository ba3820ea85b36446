"""What differs of one step of two runs: states, times, and values from their old to their new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rich.cells import cell_len

from kimera_tui.runs.compare.comparison import StepPair, StepSide
from kimera_tui.runs.compare.text import Fact, facts_of
from kimera_tui.ui.runs.compare_states import state_cell
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line, LineView, Span
from kimera_tui.ui.widgets.wrapping import at_words

_ON_ONE_LINE = 56
"""Cells up to which a value's place, old and new stand on one line."""
_DIFF_STYLES = {"+": "good", "-": "bad", "@": "key"}


class PairDetail(LineView):
    """What differs in the selected line, wrapped to fit."""

    has_cursor: ClassVar[bool] = False

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._told: Sequence[Line] = ()
        self._lines: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines, from the first."""
        self._told = lines
        self._wrap()
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        """Wrap to the new width."""
        self._wrap()

    def line_count(self) -> int:
        """How many lines it takes."""
        return len(self._lines)

    def line_at(self, index: int) -> Line:
        """One of them."""
        return self._lines[index]

    def _wrap(self) -> None:
        width = max(20, self.scrollable_content_region.width)
        self._lines = [part for line in self._told for part in at_words(line, width)]
        self.lines_changed()


def pair_lines(pair: StepPair) -> list[Line]:
    """What is told of a step in both runs."""
    state, *facts = facts_of(pair)
    both: Line = (
        (f" {state.what:<9}", "dim"),
        _state(pair.one),
        (" → ", "dim"),
        _state(pair.other),
    )
    tasks: list[Line] = []
    if (side := pair.one or pair.other) is not None:
        tasks.append(((f" {'task':<9}", "dim"), (safe(side.task, 200), "")))
    return [*tasks, both, *(line for fact in facts for line in fact_lines(fact))]


def fact_lines(fact: Fact) -> list[Line]:
    """A fact on one line; a value that is long, or has lines of its own, below its place."""
    if not fact.is_value:
        both = f"{fact.old} → {fact.new}" if fact.new != fact.old else fact.old
        return [((f" {fact.what:<9}", "dim"), (f"{both} {fact.more}", ""))]
    if fact.lines:
        parts = [(line, _DIFF_STYLES.get(line[:1], "dim")) for line in fact.lines]
        return [((f" {fact.what}", "key"),), *(((f"   {text}", style),) for text, style in parts)]
    if fact.old == fact.new:
        return [((f" {fact.what}  ", "key"), (f"{fact.old} {fact.more}", "warning"))]
    if cell_len(fact.what) + cell_len(fact.old) + cell_len(fact.new) < _ON_ONE_LINE:
        what, more = (f" {fact.what}  ", "key"), (f" {fact.more}", "dim")
        return [(what, (fact.old, "bad"), (" → ", "dim"), (fact.new, "good"), more)]
    return [
        ((f" {fact.what} {fact.more}", "key"),),
        ((f"   - {fact.old}", "bad"),),
        ((f"   + {fact.new}", "good"),),
    ]


def _state(side: StepSide | None) -> Span:
    text, style = state_cell(side)
    return text.rstrip(), style
