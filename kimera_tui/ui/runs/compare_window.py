"""The window that shows two runs step by step, and how they differ."""

from __future__ import annotations

from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Vertical

from kimera_tui.runs.compare.comparison import Comparison
from kimera_tui.runs.compare.text import NOTHING, comparison_lines
from kimera_tui.ui.actions import bindings
from kimera_tui.ui.runs.compare_detail import heads
from kimera_tui.ui.runs.compare_table import PairTable
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.panes import TextPane
from kimera_tui.ui.widgets.unmarked import PlainStatic
from kimera_tui.ui.windows.window import Window


class CompareRuns(Window[None]):
    """Shows a comparison; the cursor begins at the first step that differs."""

    SCOPE: ClassVar[str] = "compare"
    BINDINGS: ClassVar[list[BindingType]] = bindings("compare")
    heading = "Two runs, step by step"

    table = getters.query_one(PairTable)
    detail = getters.query_one("#compare-detail", TextPane)

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison

    def compose(self) -> ComposeResult:
        """Both runs, their steps in pairs, how the selected one differs, the keys."""
        with Vertical(classes="window compare"):
            yield TextPane(heads(self._comparison), id="compare-heads")
            with Container(id="compare-panes"):
                with Vertical(id="compare-steps"):
                    yield PlainStatic(id="compare-columns")
                    yield PairTable(self._comparison, id="compare-table")
                yield TextPane(id="compare-detail")
            yield PlainStatic(self.hint, classes="reader-keys")

    def on_mount(self) -> None:
        """Go to the steps."""
        self.query_one("#compare-heads").can_focus = False
        self.table.focus()
        self._show_selected()

    def on_resize(self) -> None:
        """The columns move with the width."""
        self.call_after_refresh(self._name_columns)

    def _name_columns(self) -> None:
        self.query_one("#compare-columns", PlainStatic).say(self.table.heading)

    @on(LineView.Selected, "PairTable")
    def _show_selected(self) -> None:
        self.detail.border_title = content(self.table.title, 200)
        self.detail.show(self.table.details)

    @on(LineView.Opened, "PairTable")
    def _to_values(self) -> None:
        self.detail.focus()

    def action_to_difference(self, by: int) -> None:
        """Put the cursor on the next or previous step that differs."""
        if not self.table.to_difference(by):
            self.notify(NOTHING if not self._comparison.differs else "No step differs.", timeout=3)

    def action_yank(self) -> None:
        """Copy the comparison as text."""
        self.app.copy_to_clipboard("\n".join(comparison_lines(self._comparison)))
        self.notify("Copied.", timeout=3)
