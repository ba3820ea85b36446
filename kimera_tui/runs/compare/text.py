"""A comparison of two runs as text, safe for screens, pipes and the clipboard."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple

from kimera_tui.runs.compare.comparison import Comparison, RunSide, StepPair, StepSide
from kimera_tui.runs.compare.value_diff import Change
from kimera_tui.safetext import compact, safe

NOTHING = "Nothing differs except timings."
_LONGEST_VALUE = 300


class Fact(NamedTuple):
    """One property of both runs; all texts are safe to show."""

    what: str
    old: str
    new: str
    more: str = ""
    """How much it grew, or another remark."""
    lines: tuple[str, ...] = ()
    """The lines of long texts that differ, each prefixed with ``-``, ``+`` or a space."""
    is_value: bool = False
    """Whether it is a differing value, rather than a state or a time."""

    @property
    def text(self) -> str:
        """The fact on one line."""
        change = f"{self.old} → {self.new}" if self.old != self.new else self.old
        return f"{self.what}: {change} {self.more}".rstrip()


def facts_of(pair: StepPair) -> list[Fact]:
    """The facts of a step: its states and times, then every value that differs."""
    one, other = pair.one, pair.other
    facts = [Fact("state", _state(one), _state(other))]
    if one is not None and other is not None:
        if pair.retried:
            facts.append(Fact("attempts", str(one.attempts), str(other.attempts)))
        facts += _times("waited", one.waited, other.waited, pair.waited_longer)
        facts += _times("ran", one.ran, other.ran, pair.ran_longer)
    elif (side := one or other) is not None and side.error:
        error = safe(side.error, _LONGEST_VALUE)
        facts.append(Fact("error", error, error))
    facts += map(fact_of, pair.changes)
    if pair.unseen:
        more = "(too large: only its size is compared)"
        facts.append(Fact("result", "not kept", "not kept", more))
    return facts


def fact_of(change: Change) -> Fact:
    """A change of a value as a fact."""
    what = safe(change.path, 200)
    old = "nothing" if change.kind == "added" else compact(change.old, _LONGEST_VALUE)
    new = "nothing" if change.kind == "removed" else compact(change.new, _LONGEST_VALUE)
    if change.kind == "differs":
        return Fact(what, "differs", "differs", "(too long to list)", is_value=True)
    delta = "" if change.delta is None else _grown(change.delta)
    return Fact(what, old, new, delta, tuple(safe(line) for line in change.lines), is_value=True)


def run_text(run: RunSide) -> str:
    """A run on one line."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started))
    took = "open" if run.took is None else seconds_text(run.took)
    state = f"{run.status.short:<13} {took:>9}"
    return f"{safe(run.run_id[:8])}  {when}  {state}  {safe(run.name, 200)}"


def summary(comparison: Comparison) -> str:
    """How much differs, in a sentence."""
    divergent, first = comparison.divergent, comparison.first
    if not comparison.differs:
        return NOTHING
    if first is None:
        return "The steps are the same."
    count = len(divergent)
    verb = "differs" if count == 1 else "differ"
    return f"{count} of {len(comparison.steps)} steps {verb}, first {safe(first.name, 80)}."


def comparison_lines(comparison: Comparison) -> list[str]:
    """The whole comparison: both runs, their inputs, every step, and a summary at the end."""
    lines = [f"A  {run_text(comparison.one)}", f"B  {run_text(comparison.other)}", ""]
    for change in comparison.inputs:
        lines += _fact_lines(fact_of(change), "")
    lines += [f"workflow: {safe(change, 300)}" for change in comparison.workflow]
    for pair in comparison.steps:
        lines.append(f"{mark_of(pair)} {safe(pair.name, 80)}")
        for fact in facts_of(pair):
            lines += _fact_lines(fact, "    ")
    return [*lines, "", summary(comparison)]


def mark_of(pair: StepPair) -> str:
    """``=`` or ``≠``; ``-`` or ``+`` for a step that only the first or second run has."""
    if pair.one is None:
        return "+"
    if pair.other is None:
        return "-"
    return "≠" if pair.differs else "="


def seconds_text(seconds: float) -> str:
    """A duration, with significant digits only."""
    size = abs(seconds)
    digits = 3 if size < 0.1 else 2 if size < 10 else 1 if size < 100 else 0
    return f"{seconds:,.{digits}f} s"


def _fact_lines(fact: Fact, indent: str) -> Iterator[str]:
    if not fact.lines:
        yield f"{indent}{fact.text}"
        return
    yield f"{indent}{fact.what}:"
    yield from (f"{indent}  {line}" for line in fact.lines)


def _state(side: StepSide | None) -> str:
    if side is None:
        return "no such step"
    return f"{side.status.value} (reused)" if side.reused else side.status.value


def _times(
    what: str, one: float | None, other: float | None, longer: float | None
) -> Iterator[Fact]:
    if one is None and other is None:
        return
    old, new = ("unknown" if each is None else seconds_text(each) for each in (one, other))
    sign = "" if longer is None or longer < 0 else "+"
    grown = "" if longer is None or old == new else f"({sign}{seconds_text(longer)})"
    yield Fact(what, old, new, grown)


def _grown(delta: object) -> str:
    return f"({delta:+g})" if isinstance(delta, float) else f"({delta:+})"
