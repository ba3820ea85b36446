"""The engine: TaskManager, TaskParams, their errors and events. Independent of the screen."""

from __future__ import annotations

from kimera_tui.errors import (
    CeleryDisabled,
    ResultUnknown,
    TaskFailed,
    TaskRevoked,
    TimeoutException,
)
from kimera_tui.process.helpers import Helpers
from kimera_tui.process.task_manager import TaskManager
from kimera_tui.process.task_params import TaskParams

__all__ = [
    "CeleryDisabled",
    "Helpers",
    "ResultUnknown",
    "TaskFailed",
    "TaskManager",
    "TaskParams",
    "TaskRevoked",
    "TimeoutException",
]
