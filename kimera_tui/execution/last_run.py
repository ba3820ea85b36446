"""What a past run of a workflow tells about the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status


@dataclass(frozen=True, slots=True)
class LastRun:
    """What a past run of a workflow tells about the next one."""

    run_id: str
    results: Mapping[str, Any]
    """Results of its tasks by the ids of their steps."""
    inputs: Mapping[str, Any]
    endings: Mapping[str, str] = field(default_factory=dict)
    """How those ended that have no result, in words with their cause, by the ids of their steps."""
    status: Status = Status.DONE
    started: float = 0.0
    """When it began, in seconds since the epoch."""


def last_run_of(run: RunState) -> LastRun:
    """The results of a run's steps that are done, and how the others ended, by their ids."""
    results: dict[str, Any] = {}
    endings: dict[str, str] = {}
    for step in run.steps.values():
        if step.id and step.status in (Status.DONE, Status.FINISHED_LATE):
            results[step.id] = step.result
        elif step.id and step.status.ended:
            endings[step.id] = f"{step.status.value}: {step.cause}".removesuffix(": ")
    return LastRun(run.run_id, results, run.inputs, endings, run.status, run.started)
