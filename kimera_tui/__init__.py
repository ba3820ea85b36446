"""Kimera TUI: the operations console for Celery that lives in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from kimera_tui.process import TaskManager, TaskParams, TimeoutException

__all__ = ["TaskManager", "TaskParams", "TimeoutException", "__version__"]


def __getattr__(name: str) -> Any:
    # The embedded worker and the command line import this package, too: load the engine only on
    # demand.
    if name == "__version__":
        from importlib.metadata import version

        return version("kimera-tui")
    if name in __all__:
        from kimera_tui import process

        return getattr(process, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
