"""The verdicts after a crash, row by row, and what the console says of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kimera_tui.process.adoption import Traces
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.recovery import Recovery, Resumed, judge
from kimera_tui.runs.state import begin

STEP = begin("0", PlannedTask("t", "lab", "step"), 0)
SENT = replace(STEP, sent_at=5.0)
INTENT = StepIntended(at=1, run_id="r", path="0", task_id="t", args=(), kwargs={}, server="s1")
NO_MARKER, MARKER = {"t": False}, {"t": True}


@pytest.mark.parametrize(
    ("step", "traces", "what", "why"),
    [
        (STEP, Traces("s1", MARKER), "adopt", ""),
        (STEP, Traces("s1", NO_MARKER), "publish", ""),
        (STEP, Traces("s2", NO_MARKER), "uncertain", "nobody can say whether it was sent"),
        (STEP, Traces("s2", MARKER), "adopt", ""),
        (STEP, Traces("s2", NO_MARKER, frozenset("t")), "adopt", ""),
        (STEP, Traces("", None), "uncertain", "can't tell whether it arrived"),
        (STEP, Traces("", None, frozenset("t")), "adopt", ""),
        (SENT, Traces("", None), "adopt", ""),
        (SENT, Traces("", None, blind=frozenset("t")), "uncertain", "only the console"),
        (SENT, Traces("s1", MARKER), "adopt", ""),
        (SENT, Traces("s1", NO_MARKER, frozenset("t")), "adopt", ""),
        (SENT, Traces("s1", NO_MARKER), "uncertain", "know it any more"),
        (SENT, Traces("s2", NO_MARKER), "uncertain", "may be lost, or have run"),
    ],
)
def test_the_table(step, traces: Traces, what: str, why: str) -> None:
    verdict = judge(step, INTENT, traces)
    assert verdict.what == what
    assert why in verdict.why


def test_what_the_console_says() -> None:
    fine, asks = Resumed("a", "a"), Resumed("b", "b", 0, ["b: why."])
    assert Recovery().sentence == ""
    assert Recovery(elsewhere=["x"]).sentence == ""
    assert Recovery([fine]).sentence == "1 run was in flight: 1 adopted."
    said = "3 runs were in flight: 2 adopted, 1 needs you."
    assert Recovery([fine, fine, asks]).sentence == said
    assert Recovery([asks], [("c", "why")]).sentence == "2 runs were in flight: 2 need you."
