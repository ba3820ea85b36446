"""Compile the rest of a run into a Celery canvas: the messages that hand it to the workers.

A message carries the tasks that follow it as signatures, in the plain form that Celery serializes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.config.friends import find_friend
from kimera_tui.errors import UsageError
from kimera_tui.execution.detach.remaining import PENDING, Call, Left, Rest
from kimera_tui.execution.template_scope import NOTHING, Scope, payload
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.values.placeholders import missing_in

Signature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Root:
    """A message that this console publishes."""

    path: str
    task: PlannedTask
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    """``chain``: what follows, last one first; ``chord``: what follows once all of ``group_id``
    are done, where this is number ``group_index``."""
    joins: Mapping[str, int] = field(default_factory=dict)
    """How many tasks each join waits for that depends on it, by ``group_id``."""


def compiled(
    rest: Rest, friends: Mapping[str, Mapping[str, Any]], scope: Scope, run_id: str
) -> dict[str, Root]:
    """The messages that hand the rest of a run to the workers, by path.

    The rest must have no blockers. Task ids are the planned ones, and the ids of joins derive from
    the run's id, so compiling again gives the same messages.

    Args:
        rest: What is left.
        friends: The configured friends.
        scope: What templates look up; results come from ``rest``.
        run_id: The run.

    Raises:
        UsageError: a template looks up something that does not exist or was never saved, or a
            friend is no longer configured.
    """
    known = Scope(scope.inputs, scope.run, scope.env, rest.steps)
    compiler = _Compiler(friends, known, run_id)
    compiler.publish(rest.items, None, {})
    return compiler.roots


def root_paths(rest: Rest) -> list[str]:
    """Paths of the tasks that this console publishes: those that wait for nothing."""
    return [call.node.path for call in rest.calls() if call.upstream is not PENDING]


@dataclass(slots=True)
class _Compiler:
    friends: Mapping[str, Mapping[str, Any]]
    scope: Scope
    run_id: str
    roots: dict[str, Root] = field(default_factory=dict)

    def publish(
        self, items: Sequence[Left], join: Mapping[str, Any] | None, joins: Mapping[str, int]
    ) -> None:
        """Compile the roots of a sequence.

        Args:
            items: The sequence.
            join: Options of the last task, if a join waits for it.
            joins: All joins that depend on it.
        """
        head, *rest = items
        later = self._links(rest)
        if later and join is not None:
            _mark(later[-1], join)
        if isinstance(head, Call):
            options = {"chain": later[::-1]} if later else join or {}
            task, args, kwargs = self._filled(head)
            path = head.node.path
            self.roots[path] = Root(path, task, args, kwargs, options, joins)
            return
        branches = [branch for branch in head.branches if branch]
        if later:
            group_id = self._group_id(head.node)
            body = later[0]
            if later[1:]:
                body["options"]["chain"] = later[:0:-1]
            join, joins = {"group_id": group_id, "chord": body}, {**joins, group_id: len(branches)}
        for number, branch in enumerate(branches):
            self.publish(branch, join and {**join, "group_index": number}, joins)

    def _group_id(self, node: Node) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.run_id}/{node.path}"))

    def _filled(self, call: Call) -> tuple[PlannedTask, Sequence[Any], Mapping[str, Any]]:
        """The task with its arguments; the workers add a result that is still pending."""
        node, task = call.node, call.node.task
        if task is None:
            raise TypeError(f"There is no task at {node.path!r}.")
        upstream = NOTHING if call.upstream is PENDING else call.upstream
        args, kwargs = payload(node, self.scope.at(upstream), upstream)
        if (missing := next(missing_in(args, kwargs), None)) is not None:
            raise UsageError(f"Step {node.path or '0'} ({task.task_name}): {missing.why}.")
        return task, args, kwargs

    def _links(self, items: Sequence[Left]) -> list[Signature]:
        """Signatures of a sequence; a para absorbs the task that joins it."""
        links: list[Signature] = []
        for item in reversed(items):
            if isinstance(item, Call):
                links.insert(0, self._task(item))
                continue
            header = [self._branch(branch) for branch in item.branches if branch]
            if links:
                joined = {"kwargs": {}, "header": header, "body": links[0]}
                links[0] = _signature("celery.chord", "chord", joined)
            else:
                links = [_signature("celery.group", "group", {"tasks": header})]
        return links

    def _branch(self, items: Sequence[Left]) -> Signature:
        links = self._links(items)
        if len(links) == 1:
            return links[0]
        return _signature("celery.chain", "chain", {"tasks": links})

    def _task(self, call: Call) -> Signature:
        task, args, kwargs = self._filled(call)
        entry = find_friend(self.friends, task.friend)
        return {
            "task": f"{entry['route']}.{task.task_name}",
            "args": list(args),
            "kwargs": dict(kwargs),
            "options": {"task_id": task.task_id, "queue": entry["queue"]},
            "subtask_type": None,
            "immutable": call.node.rules.passing == "none",
        }


def _signature(task: str, kind: str, kwargs: Mapping[str, Any]) -> Signature:
    return {
        "task": task,
        "args": [],
        "kwargs": dict(kwargs),
        "options": {},
        "subtask_type": kind,
        "immutable": False,
    }


def _mark(link: Signature, join: Mapping[str, Any]) -> None:
    """Make a join wait for a link; if that is a join itself, wait for its body."""
    while link["subtask_type"] == "chord":
        link = link["kwargs"]["body"]
    link["options"].update(join)
