"""The actions a schedule asks for: frozen values that the executor performs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kimera_tui.errors import PublishUncertain
from kimera_tui.execution.template_scope import NOTHING
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.runs.step import StepState


@dataclass(frozen=True, slots=True)
class Send:
    """Send a step's task."""

    node: Node
    task: PlannedTask
    upstream: Any = NOTHING
    """The upstream result, or ``NOTHING``."""
    error: Exception | None = None
    """The error that an error handler handles."""
    intent: StepIntended | None = None
    """What an earlier console was about to send; it is sent exactly as recorded."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Watch a task that was sent before."""

    node: Node
    task: PlannedTask
    upstream: Any = NOTHING
    recorded: StepState | None = None
    where: str = ""
    """Where the task was found, as a sentence for people."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Announce a retry; its ``Send`` follows after the delay."""

    path: str
    task_id: str
    attempt: int
    delay: float
    """Seconds."""
    because: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Announce that the fate of a task is unknown."""

    task: PlannedTask
    error: PublishUncertain


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the operator what became of a step."""

    path: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Announce that a step won't be sent."""

    path: str
    because: str
    unreachable: bool = False
    not_needed: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Revoke a task that timed out, and take it out of its queue, with others of its kind."""

    path: str
    task: PlannedTask
    terminate: bool = False
    awaited: bool = False
    """Whether to report back with ``withdrawn``: the next attempt needs proof that it is over."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Revoke and then abandon what is in flight below a para; report back with ``given_up``."""

    path: str
    paths: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stop:
    """Revoke everything in flight, and abandon what does not end soon after."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing is left to do."""

    result: Any = None
    error: Exception | None = None


Action = Send | Adopt | Retry | Doubt | Ask | Skip | Withdraw | GiveUp | Stop | Finish
