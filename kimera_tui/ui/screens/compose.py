"""Mode 2: a workflow, put together as a tree of steps, checked, saved and run."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kimera_tui.ui.actions import bindings
from kimera_tui.ui.screens.compose_edits import ComposeEdits
from kimera_tui.ui.screens.compose_files import ComposeFiles
from kimera_tui.ui.screens.compose_runs import ComposeRuns


class ComposeScreen(ComposeEdits, ComposeFiles, ComposeRuns):
    """Composes workflows by keys."""

    SCOPE: ClassVar[str] = "compose"
    SCOPES: ClassVar[tuple[str, ...]] = ("compose",)
    BINDINGS: ClassVar[list[BindingType]] = bindings("compose")
    AUTO_FOCUS: ClassVar[str | None] = "#compose-tree"
