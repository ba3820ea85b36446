"""The question about a step whose end is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kimera_tui.execution.runner import Decision
from kimera_tui.runs.step import StepState
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.windows.lists import ChoiceWindow
from kimera_tui.values.json_input import parse_json

_ANSWERS: tuple[tuple[str, Decision], ...] = (
    ("Wait for it, as if it had been sent", "wait"),
    ("Send it again: it may then run twice", "again"),
    ("Treat it as done, with a result…", "done"),
    ("Let it fail", "fail"),
)


class AskDecision(ChoiceWindow[Decision]):
    """Asks what became of an uncertain step; offers the gentlest answer first."""

    def __init__(self, step: StepState) -> None:
        intro = (
            f"{step.id or step.name}\n{step.task_id}\n\n{step.cause}\n\nIts run waits for you."
            " Your answer is written down with your name.\n"
        )
        super().__init__("What became of it?", _ANSWERS, intro)


@dataclass(frozen=True, slots=True)
class Answer:
    """A result that was typed in."""

    result: Any


def result_form(step: StepState) -> FormWindow[Answer]:
    """The window that asks for the result of a step that is treated as done."""
    field = Field(
        "result", lambda text: parse_json(text, "result") if text.strip() else None, "", "null"
    )
    return FormWindow(
        safe(f"Result of {step.id or step.name}", 100),
        [("", {"result": field})],
        lambda values: Answer(values["result"]),
        act="Treat as done",
        intro="JSON: what the next steps get.",
    )
