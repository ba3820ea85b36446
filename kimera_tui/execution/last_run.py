"""The latest run of a workflow, for the composer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status


@dataclass(frozen=True, slots=True)
class LastRun:
    """Results and outcomes of a past run of a workflow."""

    run_id: str
    results: Mapping[str, Any]
    """Results of its tasks by step id."""
    inputs: Mapping[str, Any]
    endings: Mapping[str, str] = field(default_factory=dict)
    """Status and cause of the steps without a result, in words, by step id."""
    status: Status = Status.DONE
    started: float = 0.0
    """When it started, in seconds since the epoch."""


def last_run_of(run: RunState) -> LastRun:
    """Collect the results and outcomes of a run's steps."""
    results: dict[str, Any] = {}
    endings: dict[str, str] = {}
    for step in run.steps.values():
        if step.id and step.status in (Status.DONE, Status.FINISHED_LATE):
            results[step.id] = step.result
        elif step.id and step.status.ended:
            endings[step.id] = f"{step.status.value}: {step.cause}".removesuffix(": ")
    return LastRun(run.run_id, results, run.inputs, endings, run.status, run.started)
