"""The bars of the timeline, from what is known of a step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kimera_tui.runs.plan import PlannedTask
from kimera_tui.runs.state import begin
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.ui.runs.timeline import Scale, bar

SCALE = Scale(start=0, span=10, cells=10)
WAITING = begin("0", PlannedTask("t", "lab", "a"), 0)
SENT = replace(WAITING, sent_at=2.0, status=Status.QUEUED)
RUNNING = replace(SENT, started_at=4.0, status=Status.RUNNING)
DONE = replace(RUNNING, ended_at=7.0, status=Status.DONE)
SENT_UNSEEN = replace(WAITING, adopted_at=9.0, ended_at=7.0, status=Status.DONE)


@pytest.mark.parametrize(
    ("step", "picture"),
    [
        (WAITING, "··········"),
        (SENT, "  ░░░░░░  "),
        (RUNNING, "  ░░████  "),
        (DONE, "  ░░███   "),
        (SENT_UNSEEN, "       █  "),
        (replace(SENT_UNSEEN, status=Status.FAILED), "       ░  "),
    ],
)
def test_a_bar_shows_what_was_seen(step: StepState, picture: str) -> None:
    assert "".join(text for text, _ in bar(step, SCALE, 8.0, None)) == picture
