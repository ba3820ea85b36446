"""Mode 2: a workflow, put together as a tree of steps, checked, saved and run."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.compose.edit_actions import ComposeEdits
from kimera_tui.ui.compose.file_actions import ComposeFiles
from kimera_tui.ui.compose.run_actions import ComposeRuns


class ComposeScreen(ComposeEdits, ComposeFiles, ComposeRuns):
    """Composes workflows by keys."""

    SCOPE: ClassVar[str] = "compose"
    SCOPES: ClassVar[tuple[str, ...]] = ("compose",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("compose")
    AUTO_FOCUS: ClassVar[str | None] = "#compose-tree"
