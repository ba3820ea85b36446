"""The plan of a run: a tree of tasks, chains and paras in which every task has its id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Passing = Literal["auto", "first", "payload", "none"]
OnTimeout = Literal["revoke", "leave", "terminate"]


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One call of a run as planned; what is sent may have an upstream result fed in."""

    task_id: str
    friend: str
    task_name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds."""
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """When and how often a failed step is retried."""

    most: int
    """Maximum retries, not counting the first attempt."""
    delay: float = 1.0
    """Seconds before the second attempt."""
    factor: float = 2.0
    """By which the delay grows with each attempt."""
    max_delay: float = 300.0
    on: Sequence[str] = ()
    """Names of exceptions, ``TIMEOUT`` and ``REVOKED``; empty means every exception."""

    def delay_before(self, attempt: int) -> float:
        """Seconds to wait before an attempt; the first attempt is number 1."""
        exponent = min(attempt - 2, 64)  # by then any factor has reached ``max_delay``
        return min(self.max_delay, self.delay * self.factor**exponent)

    def covers(self, error: str) -> bool:
        """Whether an exception of that name, ``TIMEOUT`` or ``REVOKED`` is retried."""
        return error in self.on if self.on else error not in ("TIMEOUT", "REVOKED")


@dataclass(frozen=True, slots=True)
class Rules:
    """How a node of the plan is run; the defaults are those of a plain call."""

    templated: bool = False
    """Whether its arguments contain templates, which are filled in when it is sent."""
    passing: Passing = "auto"
    """How the upstream result is passed in; ``auto`` applies the feeding rule."""
    when: Mapping[str, Any] | None = None
    """The condition under which it runs, in the document's syntax."""
    retry: RetryRule | None = None
    start_timeout: float | None = None
    """Maximum seconds in the queue; if set, ``timeout`` counts from the start of the task."""
    on_timeout: OnTimeout = "leave"
    goes_on: bool = False
    """Whether the run continues if it fails, with null as its result."""
    idempotent: bool = False
    """Whether it may be resent if nothing can tell whether it ran."""
    gather: Literal["list", "dict"] = "list"
    max_parallel: int | None = None
    fail_fast: bool = False
    """Whether the other branches are revoked as soon as one fails."""


PLAIN = Rules()


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a run's tree."""

    kind: Literal["task", "chain", "para"]
    path: str
    """Position in the tree, such as ``0/1``; the root's is empty. Never reused."""
    children: Sequence[Node] = ()
    task: PlannedTask | None = None
    id: str = ""
    """The step's id in its document; empty for plain calls."""
    rules: Rules = PLAIN
    handlers: Sequence[Node] = ()
    """The error handlers, run one after the other if it fails; below ``e`` in its path."""
    finals: Sequence[Node] = ()
    """Only at the root: the ``finally`` steps, which run at the end in any case; below ``f``."""

    @property
    def role(self) -> str:
        """``on error`` or ``finally`` for a step of such a branch, else an empty string."""
        return {"e": "on error", "f": "finally"}.get(branch_of(self.path), "")

    def below(self) -> Iterator[Node]:
        """The nodes one level below: children, handlers, finals."""
        yield from self.children
        yield from self.handlers
        yield from self.finals

    def leaves(self) -> Iterator[tuple[str, PlannedTask]]:
        """Every task with its path, in document order."""
        if self.task is not None:
            yield self.path, self.task
        for child in self.below():
            yield from child.leaves()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Node]]:
        """Every node with its depth, parents before children."""
        yield depth, self
        for child in self.below():
            yield from child.walk(depth + 1)


def child_path(path: str, position: int, branch: str = "") -> str:
    """The path of a node below another.

    Args:
        path: The parent's path.
        position: Counts from 0.
        branch: ``e`` for handlers, ``f`` for ``finally`` steps.
    """
    return "/".join(part for part in (path, branch, str(position)) if part)


def branch_of(path: str) -> str:
    """``e`` or ``f`` for the first level of such a branch, else an empty string."""
    parts = path.split("/")
    return parts[-2] if len(parts) > 1 and parts[-2] in ("e", "f") else ""


def is_handler(path: str) -> bool:
    """Whether a path lies below error handlers, so that its step runs only after a failure."""
    return "e" in path.split("/")
