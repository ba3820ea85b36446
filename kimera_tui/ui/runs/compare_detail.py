"""Two runs in lines: both heads, and how a step differs in states, times and values."""

from __future__ import annotations

import time

from rich.cells import cell_len

from kimera_tui.runs.compare.comparison import Comparison, RunSide, StepPair, StepSide
from kimera_tui.runs.compare.text import Fact, facts_of, summary
from kimera_tui.runs.status import Status
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line, Span

_ON_ONE_LINE = 56
"""Cells up to which a value's place, old and new stand on one line."""
_DIFF_STYLES = {"+": "good", "-": "bad", "@": "key"}
STATE = 16
"""Cells for a state: its glyph, its word and a blank."""


def heads(comparison: Comparison) -> list[Line]:
    """Both runs, a line each, and how much differs."""
    style = "bad" if comparison.differs else "good"
    return [
        _head("A", comparison.one),
        _head("B", comparison.other),
        ((f" {summary(comparison)}", style),),
    ]


def state_cell(side: StepSide | None) -> Span:
    """A step's state in its colour, in ``STATE`` cells."""
    if side is None:
        return f"{'– not in it':<{STATE}}", "dim"
    if side.reused:
        return f"{GLYPHS[side.status]} {'reused':<{STATE - 2}}", STYLES[side.status]
    return _word(side.status), STYLES[side.status]


def _head(letter: str, run: RunSide) -> Line:
    when = time.strftime("%y-%m-%d %H:%M:%S", time.localtime(run.started))
    lasted = "open" if run.took is None else took(run.took)
    return (
        (f" {letter}  ", "key"),
        (f"{safe(run.run_id[:8])}  ", ""),
        (f"{when}  ", "dim"),
        (_word(run.status), STYLES[run.status]),
        (f"{lasted:>6}  ", "dim"),
        (safe(run.name, 200), "strong"),
    )


def _word(status: Status) -> str:
    short = status.short if len(status.short) < STATE - 2 else status.short.partition(" ")[0]
    return f"{GLYPHS[status]} {short:<{STATE - 2}}"


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
