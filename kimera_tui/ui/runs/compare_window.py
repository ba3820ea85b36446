"""The window that shows two runs step by step, and what differs between them."""

from __future__ import annotations

from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical

from kimera_tui.runs.compare.comparison import Comparison
from kimera_tui.runs.compare.text import NOTHING, comparison_lines
from kimera_tui.ui.compose.windows import TextLines
from kimera_tui.ui.runs.compare_detail import PairDetail
from kimera_tui.ui.runs.compare_states import heads
from kimera_tui.ui.runs.compare_table import PairTable
from kimera_tui.ui.text import content
from kimera_tui.ui.widgets.lines import LineView
from kimera_tui.ui.widgets.plain import PlainStatic
from kimera_tui.ui.windows.window import Window

KEYS = "n next difference   N previous   y copy   tab values   esc close"


class CompareRuns(Window[None]):
    """Shows a comparison; the cursor begins at the first step that differs."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "close", "Close"),
        Binding("n", "to_divergent(1)", "Next difference"),
        Binding("N", "to_divergent(-1)", "Previous difference"),
        Binding("y", "yank", "Copy"),
    ]

    table = getters.query_one(PairTable)
    detail = getters.query_one(PairDetail)

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison

    def compose(self) -> ComposeResult:
        """Both runs, their steps in pairs, what differs of the selected one, the keys."""
        with Vertical(classes="window compare"):
            yield TextLines(heads(self._comparison), id="compare-heads")
            with Container(id="compare-panes"):
                with Vertical(id="compare-steps"):
                    yield PlainStatic(id="compare-columns")
                    yield PairTable(self._comparison, id="compare-table")
                yield PairDetail(id="compare-detail")
            yield PlainStatic(KEYS, classes="reader-keys")

    def on_mount(self) -> None:
        """Go to the steps."""
        self.query_one(".window").border_title = "Two runs, step by step"
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
        self.detail.show(self.table.told())

    @on(LineView.Opened, "PairTable")
    def _to_values(self) -> None:
        self.detail.focus()

    def action_to_divergent(self, by: int) -> None:
        """Put the cursor on the next or previous step that differs."""
        if not self.table.to_divergent(by):
            self.notify(NOTHING if not self._comparison.differs else "No step differs.", timeout=3)

    def action_yank(self) -> None:
        """Copy the comparison as text."""
        self.app.copy_to_clipboard("\n".join(comparison_lines(self._comparison)))
        self.notify("Copied.", timeout=3)

    def action_close(self) -> None:
        """Close the window."""
        self.dismiss(None)
