"""The saved workflows: what each is, how it went last, and what is wrong with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar, Literal

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.fuzzy import Matcher
from textual.widgets import Input

from kimera_tui.console.workflows import SavedWorkflow, Workflows
from kimera_tui.documents.store import ENDING
from kimera_tui.ui.runs.history_table import status_of
from kimera_tui.ui.text import safe, took
from kimera_tui.ui.theme import GLYPHS, STYLES
from kimera_tui.ui.widgets.lines import Line, LineView, Span
from kimera_tui.ui.widgets.plain import PlainInput, PlainStatic
from kimera_tui.ui.windows.window import Window

Wanted = Literal["open", "run", "replay", "edit"]
"""What to do with a file."""
KEYS = "enter open  ctrl+r run  ctrl+l replay  ctrl+e $EDITOR  esc close"
NONE = "No saved workflow here."
HEADS = f"  {'workflow':<24} {'steps':>5}  {'last run':<27}  {'usually':>7}"


class SavedList(LineView):
    """The files, a line each."""

    empty_text = f"{NONE}\nctrl+s in the composer saves the first one."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._saved: Sequence[SavedWorkflow] = ()
        self._most = 0

    def show_saved(self, saved: Sequence[SavedWorkflow]) -> None:
        """Show other files."""
        self._saved = saved
        self._most = max(self._most, len(saved))
        self.lines_changed()

    def get_content_height(self, *_: object) -> int:
        """As high as for all files, so that the window keeps its size while one types."""
        return self._most

    @property
    def selected(self) -> SavedWorkflow | None:
        """The file under the cursor."""
        return self._saved[self.cursor] if self._saved else None

    def line_count(self) -> int:
        """How many there are."""
        return len(self._saved)

    def line_at(self, index: int) -> Line:
        """A file: name, size, last run, usual duration, what is wrong."""
        saved = self._saved[index]
        usual = took(saved.usual) if saved.usual is not None else ""
        return [
            ("⚠ " if saved.problem else "  ", "warning"),
            (f"{_short(saved.name, 24):<24} ", "strong"),
            (f"{saved.steps or '':>5}  ", "dim"),
            *_last_run(saved),
            (f"  {usual:>7}  ", "dim"),
            (safe(saved.problem, 200), "warning"),
        ]


def _matching(typed: str, saved: Sequence[SavedWorkflow]) -> Sequence[SavedWorkflow]:
    """Those in whose names every typed word's letters stand in their order, the best first."""
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
        return [(f"{'no run yet' if saved.steps else 'can not be read':<27}", "dim")]
    status = status_of(saved.last_state)
    when = time.strftime("%d %b %H:%M", time.localtime(saved.last_at))
    return [(f"{GLYPHS[status]} {status.value:<13}", STYLES[status]), (when, "dim")]


def _short(text: str, most: int) -> str:
    shown = safe(text, 200)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


class WorkflowPicker(Window[tuple[SavedWorkflow, Wanted] | None]):
    """Picks a saved workflow by typing some letters of its name, and what to do with it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("down", "move(1)", show=False, priority=True),
        Binding("up", "move(-1)", show=False, priority=True),
        Binding("enter", "pick('open')", "Open", priority=True),
        Binding("ctrl+r", "pick('run')", "Run", priority=True),
        Binding("ctrl+l", "pick('replay')", "Replay", priority=True),
        Binding("ctrl+e", "pick('edit')", "Edit", priority=True),
    ]

    files = getters.query_one(SavedList)

    def __init__(self, workflows: Workflows) -> None:
        super().__init__()
        self._workflows = workflows
        self._all: Sequence[SavedWorkflow] = ()
        self._is_read = asyncio.Event()

    def takes_unseen(self, key: str) -> bool:
        """Anything but what runs something."""
        return key not in ("ctrl+r", "ctrl+l")

    def compose(self) -> ComposeResult:
        """A filter, the files, what is wrong with the one under the cursor, the keys."""
        with Vertical(classes="window reader picker"):
            with Vertical(classes="picker-heads"):
                yield PlainInput(placeholder="Type to find a workflow", compact=True)
                yield PlainStatic(f"\n{HEADS}")
            yield SavedList()
            with Vertical(classes="reader-keys"):
                yield PlainStatic(classes="picked")
                yield PlainStatic(KEYS)

    def on_mount(self) -> None:
        """Read the folder beside the painted window."""
        self.query_one(".window").border_title = "Saved workflows"
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
        self.files.show_saved(_matching(typed, self._all))

        self._tell()

    @on(LineView.Selected, "SavedList")
    def _tell(self) -> None:
        """Say in full what is wrong with the file under the cursor, or where it is."""
        saved = self.files.selected
        words = "" if saved is None else saved.problem or str(saved.path)
        told = self.query_one(".picked", PlainStatic)
        told.set_class(saved is not None and bool(saved.problem), "-wrong")
        told.say(f"⚠ {words}" if saved is not None and saved.problem else words)

    @on(LineView.Opened, "SavedList")
    def _opened(self) -> None:
        self.action_pick("open")

    def action_move(self, by: int) -> None:
        """Move in the list while the filter is typed in."""
        self.files.move_cursor(self.files.cursor + by)

    @work(exclusive=True, group="saved-pick")
    async def action_pick(self, wanted: Wanted) -> None:
        """Take the file under the cursor, once the folder has been read."""
        await self._is_read.wait()
        saved = self.files.selected
        if saved is None:
            self.app.notify("No workflow here has such a name." if self._all else NONE)
            return
        if wanted == "replay" and not saved.last_run:
            self.app.notify(f"{saved.name} has no run yet to be replayed: ctrl+r runs it.")
            return
        self.dismiss((saved, wanted))

    def action_close(self) -> None:
        """Close without picking."""
        self.dismiss(None)
