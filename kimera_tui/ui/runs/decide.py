"""The question about a step of which nobody can tell what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList

from kimera_tui.execution.runner import Decision
from kimera_tui.runs.state import StepState
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.widgets.plain import PlainOptions, PlainStatic
from kimera_tui.ui.windows.window import QuestionWindow
from kimera_tui.values.json_input import parse_json

_WAYS: tuple[tuple[Decision, str], ...] = (
    ("wait", "Wait for it, as if it had been sent"),
    ("again", "Send it again: it may then run twice"),
    ("done", "Treat it as done, with a result…"),
    ("fail", "Let it fail"),
)


class AskDecision(QuestionWindow[Decision | None]):
    """Offers what can be said of an uncertain step."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, step: StepState) -> None:
        super().__init__()
        self._step = step

    def compose(self) -> ComposeResult:
        """Why nobody knows, and the answers."""
        step = self._step
        with Vertical(classes="window pick"):
            yield PlainStatic(
                f"{step.id or step.name}\n{step.task_id}\n\n{step.cause}\n\nIts run waits for you."
                " Whatever you say is written down with your name.\n"
            )
            yield PlainOptions()

    def on_mount(self) -> None:
        """Offer the answers, the gentlest first."""
        self.query_one(".window").border_title = "What became of it?"
        options = self.query_one(PlainOptions)
        options.offer([(words, what) for what, words in _WAYS])
        options.highlighted = 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(next((what for what, _ in _WAYS if what == event.option.id), None))

    def action_close(self) -> None:
        """Leave it undecided."""
        self.dismiss(None)


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
        intro="JSON: what the steps after it are fed with.",
    )
