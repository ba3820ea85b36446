"""The windows of saved filters: the list of them, and the name of a new one."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.binding import BindingType

from kimera_tui.config.saved_searches import filter_name
from kimera_tui.console.filters import SavedFilter, SavedFilters
from kimera_tui.errors import KimeraError
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.compose.forms import FormWindow
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.field import Field
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane
from kimera_tui.ui.windows.lists import ListWindow


def ask_name(line: str) -> FormWindow[str]:
    """The window that asks for the name of a search.

    Args:
        line: The search.
    """
    return FormWindow(
        "Save the search",
        [("", {"name": Field("name", filter_name, "", "like failed-today")})],
        lambda values: str(values["name"]),
        act="Save",
        intro=f"{line}\nIn a search line, @name stands for it.",
    )


class FilterList(ListPane[SavedFilter]):
    """The saved filters, a line each."""

    empty_text = "No saved filter here.\nS in History saves the search that is typed there."

    def line_of(self, item: SavedFilter) -> Line:
        """A filter: name, problem, search."""
        problem = f"⚠ {safe(item.problem, 200)}  " if item.problem else ""
        return (
            (f" @{safe(item.name, 40):<16}  ", "strong"),
            (problem, "warning"),
            (safe(item.line, 300), "dim" if item.problem else ""),
        )


class FilterPicker(ListWindow[str | None, SavedFilter]):
    """Picks a saved filter; returns its name."""

    SCOPE: ClassVar[str] = "filters"
    BINDINGS: ClassVar[list[BindingType]] = bindings("filters")

    def __init__(self, saved: SavedFilters) -> None:
        super().__init__("Saved filters", FilterList())
        self._saved = saved

    def takes_unseen(self, key: str) -> bool:
        """Anything but what deletes one."""
        return key not in ("d", "delete")

    def on_mount(self) -> None:
        """Read the file once the window is painted."""
        self._read()

    @work(exclusive=True, group="saved")
    async def _read(self) -> None:
        try:
            self.pane.show(await self._saved.list())
        except KimeraError as error:
            self.say(str(error))

    @work(exclusive=True, group="saved")
    async def action_delete(self) -> None:
        """Delete the filter under the cursor; its search stays readable, to be typed again."""
        if (saved := self.pane.selected) is None:
            return
        try:
            await self._saved.delete(saved.name)
            self.pane.show(await self._saved.list())
        except KimeraError as error:
            self.say(str(error))
        else:
            self.say(f"Deleted @{saved.name}. It was: {saved.line}")

    def action_take(self) -> None:
        """Close with the filter under the cursor."""
        if (saved := self.pane.selected) is not None:
            self.dismiss(saved.name)

    def open_selected(self) -> None:
        """Take the filter that was clicked twice."""
        self.action_take()
