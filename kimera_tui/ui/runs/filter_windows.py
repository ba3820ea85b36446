"""The windows of saved filters: the list of them, and the name that a search gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from kimera_tui.config.saved_searches import filter_name
from kimera_tui.console.filters import SavedFilter, SavedFilters
from kimera_tui.errors import KimeraError
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.widgets.lines import Line, LineView
from kimera_tui.ui.widgets.plain import PlainStatic
from kimera_tui.ui.windows.window import Window

KEYS = "enter search with it   d delete   esc close"


def ask_name(line: str) -> FormWindow[str]:
    """The window that asks how a search is to be called.

    Args:
        line: The search.
    """
    return FormWindow(
        "Save the search",
        [("", {"name": Field("name", filter_name, "", "like failed-today")})],
        lambda values: str(values["name"]),
        act="Save",
        intro=f"{line}\n@name in a search line will mean it.",
    )


class FilterList(LineView):
    """The saved filters, a line each."""

    empty_text = "No saved filter here.\nS in History saves the search that is typed there."

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self._saved: Sequence[SavedFilter] = ()

    def show_filters(self, saved: Sequence[SavedFilter]) -> None:
        """Show other filters."""
        self._saved = saved
        self.lines_changed()

    @property
    def selected(self) -> SavedFilter | None:
        """The filter under the cursor."""
        return self._saved[self.cursor] if self._saved else None

    def line_count(self) -> int:
        """How many there are."""
        return len(self._saved)

    def line_at(self, index: int) -> Line:
        """A filter: name, what is wrong, search."""
        saved = self._saved[index]
        problem = f"⚠ {safe(saved.problem, 200)}  " if saved.problem else ""
        return (
            (f" @{safe(saved.name, 40):<16}  ", "strong"),
            (problem, "warning"),
            (safe(saved.line, 300), "dim" if saved.problem else ""),
        )


class FilterPicker(Window[str | None]):
    """Picks a saved filter; returns its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("d,delete", "delete", "Delete"),
    ]

    filters = getters.query_one(FilterList)

    def __init__(self, saved: SavedFilters) -> None:
        super().__init__()
        self._saved = saved

    def takes_unseen(self, key: str) -> bool:
        """Anything but what deletes one."""
        return key not in ("d", "delete")

    def compose(self) -> ComposeResult:
        """The filters, the keys."""
        with Vertical(classes="window reader"):
            yield FilterList()
            yield PlainStatic(KEYS, classes="reader-keys")

    def on_mount(self) -> None:
        """Read the file beside the painted window."""
        self.query_one(".window").border_title = "Saved filters"
        self.filters.focus()
        self._read()

    @work(exclusive=True, group="saved")
    async def _read(self) -> None:
        try:
            self.filters.show_filters(await self._saved.list())
        except KimeraError as error:
            self._say(str(error))

    @work(exclusive=True, group="saved")
    async def action_delete(self) -> None:
        """Forget the filter under the cursor; its search stays readable, to be typed again."""
        if (saved := self.filters.selected) is None:
            return
        try:
            await self._saved.delete(saved.name)
            self.filters.show_filters(await self._saved.list())
        except KimeraError as error:
            self._say(str(error))
        else:
            self._say(f"@{saved.name} is deleted. It was: {saved.line}")

    def _say(self, text: str) -> None:
        self.query_one(".reader-keys", PlainStatic).say(f"{text}\n{KEYS}")

    @on(LineView.Opened, "FilterList")
    def _take(self) -> None:
        if (saved := self.filters.selected) is not None:
            self.dismiss(saved.name)

    def action_close(self) -> None:
        """Close without picking."""
        self.dismiss(None)
