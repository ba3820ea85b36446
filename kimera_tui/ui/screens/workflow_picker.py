"""The saved workflows: what each is, how it went last, and what is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from kimera_tui.ui.ports import SavedWorkflow, Workflows
from kimera_tui.ui.screens.window import Window
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.widgets.lines import Line, LineView, Span
from kimera_tui.ui.widgets.plain import PlainInput, PlainStatic

Picked = tuple[Path, str]
"""A file, and what to do with it: ``open`` or ``run``."""


class SavedList(LineView):
    """The files, a line each."""

    empty_text = "No saved workflow here.\nctrl+s in the composer saves the first one."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._saved: Sequence[SavedWorkflow] = ()

    def show_saved(self, saved: Sequence[SavedWorkflow]) -> None:
        """Show other files."""
        self._saved = saved
        self.lines_changed()

    @property
    def selected(self) -> SavedWorkflow | None:
        """The file under the cursor."""
        return self._saved[self.cursor] if self._saved else None

    def line_count(self) -> int:
        """How many there are."""
        return len(self._saved)

    def line_at(self, index: int) -> Line:
        """A file: name, size, last run, what is wrong."""
        saved = self._saved[index]
        steps = f"{saved.steps} step{'s' if saved.steps != 1 else ''}"
        spans: list[Span] = [
            (f" {safe(saved.name or saved.path.name, 60):<24} ", "strong"),
            (f"{steps:>10}  ", "dim"),
        ]
        if saved.last_state:
            spans.append((f"{safe(saved.last_state, 40)}", _STYLES.get(saved.last_state, "")))
        if saved.last_at is not None:
            spans.append((time.strftime("  %d %b %H:%M", time.localtime(saved.last_at)), "dim"))
        if saved.usual is not None:
            spans.append((f"  usually {took(saved.usual)}", "dim"))
        if saved.problem:
            spans.append((f"  ⚠ {safe(saved.problem, 200)}", "warning"))
        return spans


_STYLES = {"done": "good", "failed": "bad", "timed out": "warning", "revoked": "bad"}


class WorkflowPicker(Window[Picked | None]):
    """Picks a saved workflow by typing some letters of its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("enter", "pick('open')", "Open", priority=True),
        Binding("ctrl+r", "pick('run')", "Run", priority=True),
    ]

    files = getters.query_one(SavedList)

    def __init__(self, workflows: Workflows) -> None:
        super().__init__()
        self._workflows = workflows
        self._all: Sequence[SavedWorkflow] = ()

    def compose(self) -> ComposeResult:
        """A filter, the files, the keys."""
        with Vertical(classes="window reader"):
            yield PlainInput(placeholder="Type to find a workflow", compact=True)
            yield SavedList()
            yield PlainStatic("enter open   ctrl+r run   esc close", classes="reader-keys")

    def on_mount(self) -> None:
        """Read the folder beside the painted window."""
        self.query_one(".window").border_title = "Saved workflows"
        self._read()

    @work(exclusive=True, group="saved")
    async def _read(self) -> None:
        self._all = await self._workflows.saved()
        self._offer(self.query_one(PlainInput).value)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    def _offer(self, typed: str) -> None:
        matchers = [Matcher(word) for word in typed.split()]
        self.files.show_saved(
            [
                each
                for each in self._all
                if all(matcher.match(f"{each.name} {each.path.name}") for matcher in matchers)
            ]
        )

    @on(LineView.Opened, "SavedList")
    def _opened(self) -> None:
        self.action_pick("open")

    def action_move(self, by: int) -> None:
        """Move in the list while the filter is typed in."""
        self.files.move_cursor(self.files.cursor + by)

    def action_pick(self, act: str) -> None:
        """Take the file under the cursor."""
        if (saved := self.files.selected) is not None:
            self.dismiss((saved.path, act))

    def action_close(self) -> None:
        """Close without picking."""
        self.dismiss(None)
