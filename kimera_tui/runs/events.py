"""What happens to runs: the plan at its start, steps that will never be sent, the end."""

from __future__ import annotations

from dataclasses import dataclass

from kimera_tui.process.events import Event
from kimera_tui.runs.plan import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent(Event):
    """Something that happened to a run."""

    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    """A run began; nothing of it has been sent yet, and every step's id is known."""

    name: str
    plan: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped(RunEvent):
    """A step will never be sent."""

    path: str
    because: str
    unreachable: bool = False
    """True when the step before was revoked rather than failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(RunEvent):
    """Nothing more will be sent and nothing is waited for."""

    error: str = ""
