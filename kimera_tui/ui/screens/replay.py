"""The question before a replay: how much of the run, with the plan shown first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import OptionList

from kimera_tui.runs.book import RunState
from kimera_tui.runs.state import StepState
from kimera_tui.ui.screens.window import Window
from kimera_tui.ui.widgets.plain import PlainOptions, PlainStatic


@dataclass(frozen=True, slots=True)
class Replay:
    """How to run something again."""

    mode: str
    """``again``, ``from_failed``, ``from_step`` or ``only_step``."""
    path: str = ""
    """The step that ``from_step`` and ``only_step`` mean."""


class AskReplay(Window[Replay | None]):
    """Offers the ways to replay a run."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, run: RunState, step: StepState | None) -> None:
        super().__init__()
        self._run = run
        self._step = step
        self._choices = choices(run, step)

    def compose(self) -> ComposeResult:
        """The run, and the ways."""
        with Vertical(classes="window pick"):
            yield PlainStatic(f"{self._run.name}\nA new run; this one stays as it is.\n")
            yield PlainOptions()

    def on_mount(self) -> None:
        """Offer the ways that make sense."""
        self.query_one(".window").border_title = "Replay"
        options = self.query_one(PlainOptions)
        options.offer([(text, str(n)) for n, (text, _) in enumerate(self._choices)])
        options.highlighted = 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        if event.option.id is not None:
            self.dismiss(self._choices[int(event.option.id)][1])

    def action_close(self) -> None:
        """Leave it."""
        self.dismiss(None)


def choices(run: RunState, step: StepState | None) -> list[tuple[str, Replay]]:
    """The ways to replay a run, the likeliest first, each with what it will run."""
    total, done = len(run.steps), run.done
    again = (f"Run again: runs {total}", Replay("again"))
    found = [again]
    if done < total:
        left = f"From what failed: runs {total - done}, reuses {done}"
        found.insert(0, (left, Replay("from_failed")))
    if step is not None and total > 1:
        found += [
            (f"From {step.name} on", Replay("from_step", step.path)),
            (f"Only {step.name}, as it was sent", Replay("only_step", step.path)),
        ]
    return found
