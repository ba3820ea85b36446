"""The window with the findings of the pre-flight: run anyway, or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import BindingType

from kimera_tui.documents.document import Document
from kimera_tui.execution.preflight import Finding, against
from kimera_tui.ui.actions import bindings, hint
from kimera_tui.ui.compose.windows import Reader
from kimera_tui.ui.text import safe
from kimera_tui.ui.widgets.lines import Line


class Preflight(Reader):
    """Shows what the pre-flight found; returns ``run`` if the operator wants to run it anyway.

    Args:
        document: What is to be run.
        found: All findings.
        asks: Whether it can be run from here.
    """

    SCOPE: ClassVar[str] = "preflight"
    BINDINGS: ClassVar[list[BindingType]] = bindings("preflight")

    def __init__(self, document: Document, found: Sequence[Finding], *, asks: bool = True) -> None:
        count = len(against(found))
        verdict = "Nothing speaks against running it now."
        if count:
            verdict = f"{count} thing{'s' if count != 1 else ''} against running it now."
        ordered = sorted(found, key=lambda finding: not finding.against)
        width = min(24, max((len(_about(finding)) for finding in found), default=0))
        lines = [finding_line(finding, width) for finding in ordered]
        super().__init__("Before the run", f"{document.name}\n{verdict}", lines)
        self._asks = asks

    @property
    def hint(self) -> str:
        """Its keys on one line."""
        return super().hint if self._asks else hint("reader")

    def action_run(self) -> None:
        """Run it anyway."""
        if self._asks:
            self.dismiss("run")


def finding_line(finding: Finding, width: int) -> Line:
    """One finding: its step, and what it says.

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
