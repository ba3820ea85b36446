"""The shape of a run: a tree of tasks, chains and paras, each task with its id fixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Passing = Literal["auto", "first", "payload", "none"]
OnTimeout = Literal["revoke", "leave", "terminate"]


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One call of a run, as written; what really goes out may have a result fed in."""

    task_id: str
    friend: str
    task_name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    """Seconds."""
    secret: frozenset[str] = frozenset()
    """Names in ``kwargs``, and positions in ``args`` such as ``"0"``, whose values are never shown
    or written down."""


@dataclass(frozen=True, slots=True)
class RetryRule:
    """When and how often a step that ended badly is tried again."""

    most: int
    """Tries after the first."""
    delay: float = 1.0
    """Seconds before the second try."""
    factor: float = 2.0
    max_delay: float = 300.0
    on: Sequence[str] = ()
    """Names of exceptions, ``TIMEOUT`` and ``REVOKED``; empty means every exception."""

    def delay_before(self, attempt: int) -> float:
        """Seconds to wait before a try, the first of which is number 1."""
        exponent = min(attempt - 2, 64)  # beyond that every factor has met ``max_delay``
        return min(self.max_delay, self.delay * self.factor**exponent)

    def covers(self, what: str) -> bool:
        """Whether an exception of that name, ``TIMEOUT`` or ``REVOKED`` is tried again."""
        return what in self.on if self.on else what not in ("TIMEOUT", "REVOKED")


@dataclass(frozen=True, slots=True)
class Rules:
    """How a part of a run is run; the defaults are those of a plain call."""

    templated: bool = False
    """Whether its arguments hold templates, which are filled in when it is sent."""
    passing: Passing = "auto"
    """How the result before it comes in; ``auto`` is the feeding rule."""
    when: Mapping[str, Any] | None = None
    """The condition under which it runs, as a document writes it."""
    retry: RetryRule | None = None
    start_timeout: float | None = None
    """Seconds in the queue at most; then ``timeout`` counts from the start."""
    on_timeout: OnTimeout = "leave"
    goes_on: bool = False
    """Whether the run goes on when it ended badly, with null for its result."""
    idempotent: bool = False
    """Whether it may run twice where nobody can tell whether it ran."""
    gather: Literal["list", "dict"] = "list"
    max_parallel: int | None = None
    fail_fast: bool = False
    """Whether the other branches are revoked as soon as one ended badly."""


PLAIN = Rules()


@dataclass(frozen=True, slots=True)
class Node:
    """One place in a run's tree."""

    kind: Literal["task", "chain", "para"]
    path: str
    """Position in the tree, such as ``0/1``; the root's is empty. Never reused."""
    children: Sequence[Node] = ()
    task: PlannedTask | None = None
    id: str = ""
    """What the step is called in its document; empty for plain calls."""
    rules: Rules = PLAIN
    handlers: Sequence[Node] = ()
    """Steps that are run one after the other when it ended badly; below ``e`` in its path."""
    finals: Sequence[Node] = ()
    """Only of the root: steps that are run at the end, however it came; below ``f``."""

    @property
    def role(self) -> str:
        """``on error`` and ``finally`` for a step of these branches, else an empty string."""
        return {"e": "on error", "f": "finally"}.get(branch_of(self.path), "")

    def below(self) -> Iterator[Node]:
        """What stands one level below: children, handlers, finals."""
        yield from self.children
        yield from self.handlers
        yield from self.finals

    def leaves(self) -> Iterator[tuple[str, PlannedTask]]:
        """Every task with its path, in the order in which they are written."""
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
    """The path of what stands below a path.

    Args:
        path: The parent's.
        position: Counts from 0.
        branch: ``e`` for handlers, ``f`` for final steps.
    """
    return "/".join(part for part in (path, branch, str(position)) if part)


def branch_of(path: str) -> str:
    """``e`` or ``f`` for the first level of such a branch, else an empty string."""
    parts = path.split("/")
    return parts[-2] if len(parts) > 1 and parts[-2] in ("e", "f") else ""


def is_handler(path: str) -> bool:
    """Whether a path stands somewhere below handlers: such a step runs only if need be."""
    return "e" in path.split("/")
