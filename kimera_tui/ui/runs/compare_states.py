"""How two runs and their steps stand, in columns: glyph, word and colour."""

from __future__ import annotations

import time

from kimera_tui.runs.compare.comparison import Comparison, RunSide, StepSide
from kimera_tui.runs.compare.text import summary
from kimera_tui.runs.status import Status
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line, Span

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
    return f"{GLYPHS[status]} {status.value:<{STATE - 2}}"
