"""The problems of a document, a line each; selecting one goes to its step."""

from __future__ import annotations

from kimera_tui.documents.checks import Problem
from kimera_tui.safetext import safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.panes import ListPane


class ComposeProblems(ListPane[Problem]):
    """Lists the problems."""

    def line_of(self, item: Problem) -> Line:
        """Where, and what."""
        return (
            (" ⚠ ", "warning"),
            (f"{safe(item.step or item.where or 'workflow', 60)}  ", "strong"),
            (safe(item.sentence, 400), ""),
        )
