"""The objects that ``compare --json`` prints; docs/json.md is generated from them, too."""

from __future__ import annotations

from typing import Any, Literal

from kimera_tui.cli.json_output.objects import Printed
from kimera_tui.runs.status import Status


class ComparedRun(Printed):
    """One of the two runs of a comparison."""

    run_id: str
    name: str
    status: Status
    started: float
    took: float | None
    """Seconds; null while it has not ended."""
    error: str


class ComparedStep(Printed):
    """A step in one of the two runs."""

    path: str
    id: str
    """Empty for a plain call."""
    task: str
    """What it calls, as `friend.task`."""
    status: Status
    attempts: int
    waited: float | None
    """Seconds from its dispatch until a worker was seen to start it; null if none was."""
    ran: float | None
    """Seconds to its end from when a worker was seen to start it, or else from its dispatch."""
    reused: bool
    """Whether it was not sent because the result of an earlier run was reused."""
    error: str


class Change(Printed):
    """A value that differs."""

    path: str
    """Where it is, such as `kwargs.day`."""
    kind: Literal["added", "removed", "changed", "differs"]
    """`differs`: the values differ here, and perhaps further on."""
    old: Any
    new: Any
    delta: Any
    """The second number minus the first; null if one is not a number."""
    lines: list[str]
    """How two texts differ, line by line."""


class ComparedPair(Printed):
    """A step of both runs, or of one of them."""

    step: str
    """Its id, or else what it calls."""
    differs: bool
    """Whether anything but timing differs."""
    one: ComparedStep | None
    other: ComparedStep | None
    waited_longer: float | None
    """Seconds that the second waited longer."""
    ran_longer: float | None
    """Seconds that the second ran longer."""
    changes: list[Change]


class Comparison(Printed):
    """What differs between two runs."""

    one: ComparedRun
    other: ComparedRun
    differs: bool
    """Whether anything but names, ids and times differs."""
    first: str | None
    """The first step that differs."""
    inputs: list[Change]
    workflow: list[str]
    """How the plans differ, in words."""
    steps: list[ComparedPair]
