"""How one step differs in two runs: states, times, and values from old to new."""

from __future__ import annotations

from rich.cells import cell_len

from kimera_tui.runs.compare.comparison import StepPair, StepSide
from kimera_tui.runs.compare.text import Fact, facts_of
from kimera_tui.ui.runs.compare_states import state_cell
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line, Span

_ON_ONE_LINE = 56
"""Cells up to which a value's place, old and new stand on one line."""
_DIFF_STYLES = {"+": "good", "-": "bad", "@": "key"}


def pair_lines(pair: StepPair) -> list[Line]:
    """What there is to say about a step in both runs."""
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
