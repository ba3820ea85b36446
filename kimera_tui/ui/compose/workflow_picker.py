"""The saved workflows: what each is, how its last run ended, and its first problem."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar, Literal

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from kimera_tui.console.workflows import SavedWorkflow, Workflows
from kimera_tui.documents.store import ENDING
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.runs.history_table import status_of
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line, LineView, Span
from kimera_tui.ui.widgets.panes import ListPane
from kimera_tui.ui.widgets.unmarked import PlainInput, PlainStatic
from kimera_tui.ui.windows.lists import ListWindow

Wanted = Literal["open", "run", "replay", "edit"]
"""What to do with a file."""
NONE = "No saved workflow here."
HEADS = f"  {'workflow':<24} {'steps':>5}  {'last run':<27}  {'usually':>7}"


class SavedList(ListPane[SavedWorkflow]):
    """The files, a line each."""

    empty_text = f"{NONE}\nctrl+s in the composer saves the first one."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._most = 0

    def show(self, items: Sequence[SavedWorkflow], cursor: int | None = None) -> None:
        """Show other files."""
        self._most = max(self._most, len(items))
        super().show(items, cursor)

    def get_content_height(self, *_: object) -> int:
        """As high as for all files, so that the window keeps its size while the filter changes."""
        return self._most

    def line_of(self, item: SavedWorkflow) -> Line:
        """A file: name, size, last run, usual duration, problem."""
        usual = took(item.usual) if item.usual is not None else ""
        return [
            ("⚠ " if item.problem else "  ", "warning"),
            (f"{_short(item.name, 24):<24} ", "strong"),
            (f"{item.steps or '':>5}  ", "dim"),
            *_last_run(item),
            (f"  {usual:>7}  ", "dim"),
            (safe(item.problem, 200), "warning"),
        ]


def _matching(typed: str, saved: Sequence[SavedWorkflow]) -> Sequence[SavedWorkflow]:
    """Those whose names have the letters of each typed word in their order, the best first."""
    matchers = [Matcher(word) for word in typed.split()]
    found = []
    for each in saved:
        names = f"{each.name} {each.path.name.removesuffix(ENDING)}"
        scores = [matcher.match(names) for matcher in matchers]
        if all(scores):
            found.append((sum(scores), each))
    return [each for _, each in sorted(found, key=lambda pair: -pair[0])]


def _last_run(saved: SavedWorkflow) -> list[Span]:
    if saved.last_at is None:
        return [(f"{'no run yet' if saved.steps else 'unreadable':<27}", "dim")]
    status = status_of(saved.last_state)
    when = time.strftime("%d %b %H:%M", time.localtime(saved.last_at))
    return [(f"{GLYPHS[status]} {status.short:<13}", STYLES[status]), (when, "dim")]


def _short(text: str, most: int) -> str:
    shown = safe(text, 200)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


class WorkflowPicker(ListWindow[tuple[SavedWorkflow, Wanted] | None, SavedWorkflow]):
    """Picks a saved workflow by some letters of its name, and what to do with it."""

    SCOPE: ClassVar[str] = "saved"
    BINDINGS: ClassVar[list[BindingType]] = bindings("saved")
    AUTO_FOCUS: ClassVar[str | None] = "PlainInput"

    def __init__(self, workflows: Workflows) -> None:
        super().__init__("Saved workflows", SavedList())
        self._workflows = workflows
        self._all: Sequence[SavedWorkflow] = ()
        self._is_read = asyncio.Event()

    def takes_unseen(self, key: str) -> bool:
        """Anything but what runs something."""
        return key not in ("ctrl+r", "ctrl+l")

    def compose_above(self) -> ComposeResult:
        """A filter, and what the columns are."""
        with Vertical(classes="picker-heads"):
            yield PlainInput(placeholder="Type to find a workflow", compact=True)
            yield PlainStatic(f"\n{HEADS}")

    def on_mount(self) -> None:
        """Read the folder once the window is painted."""
        self.query_one(".message").set_class(True, "picked")
        self._read()

    @work(exclusive=True, group="saved")
    async def _read(self) -> None:
        self._all = await self._workflows.saved()
        self._offer(self.query_one(PlainInput).value)
        self._is_read.set()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        self._offer(event.value)

    def _offer(self, typed: str) -> None:
        self.pane.show(_matching(typed, self._all))
        self._describe()

    @on(LineView.Selected)
    def _describe(self) -> None:
        """Show the problem of the file under the cursor, or where it is."""
        saved = self.pane.selected
        problem = saved.problem if saved is not None else ""
        self.query_one(".message").set_class(bool(problem), "-wrong")
        self.say(f"⚠ {problem}" if problem else str(saved.path) if saved is not None else " ")

    def open_selected(self) -> None:
        """Open the file that was clicked twice."""
        self.action_pick("open")

    def action_move(self, by: int) -> None:
        """Move in the list while the focus is in the filter."""
        self.pane.move_cursor(self.pane.cursor + by)

    @work(exclusive=True, group="saved-pick")
    async def action_pick(self, wanted: Wanted) -> None:
        """Take the file under the cursor, once the folder has been read."""
        await self._is_read.wait()
        saved = self.pane.selected
        if saved is None:
            self.app.notify("No workflow matches." if self._all else NONE)
            return
        if wanted == "replay" and not saved.last_run:
            self.app.notify(f"{saved.name} has never run, so there is nothing to replay.")
            return
        self.dismiss((saved, wanted))
