"""What happened in words: no secret in any of them, and no more of a value than is shown."""

from __future__ import annotations

from typing import Any

import pytest

from kimera_tui.cluster.events import BrokerChanged
from kimera_tui.process import events as e
from kimera_tui.runs.event_text import narrate
from kimera_tui.runs.events import RunEnded, RunStarted, StepHeld, StepRetried, StepSkipped
from kimera_tui.runs.index import RunIndex
from kimera_tui.runs.journal.value_codec import Packer
from kimera_tui.runs.masking import glimpse, masked
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.state import begin, fold

SAID = "cannot reach redis://u:hunter22pw@db"
TASK: dict[str, Any] = {"at": 9, "task_id": "t"}
STEP: dict[str, Any] = {"at": 9, "run_id": "r", "path": ""}
OF_STEPS: list[Any] = [
    e.Refused(**TASK, reason=SAID),
    e.Refused(**TASK, reason=SAID, uncertain=True),
    e.Noticed(**TASK, text=SAID),
    e.Noticed(**TASK, text=SAID, against=False),
    e.Failed(**TASK, error_type="Failed", error_message=SAID),
    e.RemotelyRevoked(**TASK, reason=SAID),
    e.EndedUnknown(**TASK, reason=SAID),
    e.StateSeen(**TASK, state="RETRY", meta={"error_type": "E", "error_message": SAID}),
    e.CallbackFailed(**TASK, callback="c", error=SAID),
    StepSkipped(**STEP, because=SAID),
    StepRetried(**STEP, task_id="t2", attempt=2, delay=1, because=SAID),
]
PLANNED = PlannedTask("t", "f", "task", kwargs={"pin": "9876543"}, secret=frozenset({"pin"}))
STARTED = RunStarted(at=0, run_id="r", name="run", plan=Node("task", "", task=PLANNED))


@pytest.mark.parametrize(
    "event",
    [
        *OF_STEPS,
        e.FinishedLate(**TASK, state="FAILURE", error=SAID),
        e.FinishedLate(**TASK, state="ENDED", error=SAID),
        e.ConnectionLost(at=9, which="backend", reason=SAID),
        BrokerChanged(at=9, phase="failed", label="broker", message=SAID),
        RunEnded(at=9, run_id="r", error=SAID),
    ],
)
def test_no_password_in_foreign_text_is_shown(event: object) -> None:
    words = narrate(event)
    assert words is not None
    assert "cannot reach redis://u:••••@db" in words[2]


@pytest.mark.parametrize("event", [*OF_STEPS, StepHeld(**STEP, because=SAID)])
def test_no_cause_holds_a_password_from_foreign_text(event: Any) -> None:
    assert "cannot reach redis://u:••••@db" in fold(begin("", PLANNED, 0), event).cause


def test_no_cause_of_a_late_end_holds_a_password() -> None:
    late = fold(begin("", PLANNED, 0), e.TimedOut(**TASK, seconds=3))
    late = fold(late, e.FinishedLate(**TASK, state="FAILURE", error=SAID))
    assert late.cause == "cannot reach redis://u:••••@db"


@pytest.mark.parametrize("padding", range(255, 300))
def test_a_password_at_the_end_of_a_text_is_not_shown_in_part(padding: int) -> None:
    text = "x" * padding + " " + SAID + "y" * 5000
    words = narrate(e.Failed(**TASK, error_type="E", error_message=text))
    assert words is not None
    assert "hun" not in words[2]
    assert words[2].endswith(f"… {len(text) - 300:,} more characters")


def test_a_huge_result_is_masked_where_it_is_shown_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index, looked_at = RunIndex(), []
    index.apply(STARTED)
    index.runs["r"].secrets.learn({"pin": "9876543"}, {"pin"})
    looks = Packer.text
    monkeypatch.setattr(
        Packer,
        "text",
        lambda packer, text: looked_at.append(text) or looks(packer, text),  # type: ignore[func-returns-value]
    )
    event = e.Succeeded(**TASK, result=["the pin is 9876543"] * 50_000)
    whole = index.take(event, results=False)
    assert whole.result is event.result
    words = narrate(glimpse(whole, index.runs["r"].secrets))
    assert words is not None
    assert "the pin is ••••" in words[2]
    assert "9876543" not in words[2]
    assert len(looked_at) < 100
    assert "9876543" not in str(masked(event, index.runs["r"].secrets).result)
