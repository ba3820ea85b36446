"""The window that shows what speaks for and against a run: go on all the same, or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from kimera_tui.documents.document import Document
from kimera_tui.execution.preflight import Finding, against
from kimera_tui.ui.compose.windows import TextLines
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line
from kimera_tui.ui.widgets.plain import PlainStatic
from kimera_tui.ui.windows.window import QuestionWindow


class Preflight(QuestionWindow[bool]):
    """Shows what speaks for and against a run; returns whether it is to be run.

    Args:
        document: What is to be run.
        found: Everything that was looked at.
        asks: Whether it is to be run if the operator says so.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No"),
        Binding("R", "answer(True)", "Run anyway"),
    ]

    def __init__(self, document: Document, found: Sequence[Finding], *, asks: bool = True) -> None:
        super().__init__()
        self._document = document
        self._found = sorted(found, key=lambda finding: not finding.against)
        self._asks = asks

    def compose(self) -> ComposeResult:
        """The findings, and the keys."""
        with Vertical(classes="window reader"):
            yield PlainStatic(f"{self._document.name}\n{self._verdict}", classes="form-doc")
            width = min(24, max((len(_about(finding)) for finding in self._found), default=0))
            yield TextLines([finding_line(finding, width) for finding in self._found])
            keys = "R run anyway   esc leave it" if self._asks else "esc close"
            yield PlainStatic(keys, classes="reader-keys")

    @property
    def _verdict(self) -> str:
        count = len(against(self._found))
        if not count:
            return "Nothing against running it now."
        return f"{count} thing{'s' if count != 1 else ''} against running it now."

    def on_mount(self) -> None:
        """Stand on the findings, where enter does nothing."""
        self.query_one(".window").border_title = "Before the run"
        self.query_one(TextLines).focus()

    def action_answer(self, run: bool) -> None:
        """Close with the answer."""
        self.dismiss(run and self._asks)


def finding_line(finding: Finding, width: int) -> Line:
    """One finding: its step, and what stands against it.

    Args:
        finding: What was found.
        width: Cells for the name of the step.
    """
    mark = (" ⚠ ", "warning") if finding.against else (" ✓ ", "good")
    return (
        mark,
        (f"{_about(finding):<{width}}  ", "strong"),
        (safe(finding.sentence, 400), ""),
    )


def _about(finding: Finding) -> str:
    return safe(finding.step or "workflow", 60)
