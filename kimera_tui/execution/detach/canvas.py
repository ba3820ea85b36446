"""From the rest of a run to a Celery canvas: the messages that bring all of it to the workers.

What a message carries of those that follow it are signatures, in the plain form in which Celery
writes them into its messages.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.config.friends import find_friend
from kimera_tui.errors import UsageError
from kimera_tui.execution.detach.remaining import PENDING, Call, Left, Rest
from kimera_tui.execution.step_payload import payload
from kimera_tui.execution.template_scope import NOTHING, Scope
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.values.placeholders import missing_in

Signature = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Root:
    """A message that is published from here."""

    path: str
    task: PlannedTask
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    """``chain``: what follows, the last one first; ``chord``: what follows when all of
    ``group_id`` are done, of which it is number ``group_index``."""
    joins: Mapping[str, int] = field(default_factory=dict)
    """The joins that wait for it in the end, and for how many tasks each, by ``group_id``."""


def compiled(
    rest: Rest, friends: Mapping[str, Mapping[str, Any]], scope: Scope, run_id: str
) -> dict[str, Root]:
    """The messages that bring the rest of a run to the workers, by path.

    Nothing may keep it from being handed over. Task ids are the planned ones, and the ids of
    joins are made of the run's: compiled once more it is the same.

    Args:
        rest: What is left.
        friends: Where tasks go.
        scope: What templates look up; results of what has ended are taken from ``rest``.
        run_id: The run.

    Raises:
        UsageError: something that a template looks up isn't there, or was never written down,
            or a friend is configured no more.
    """
    known = Scope(scope.inputs, scope.run, scope.env, rest.steps)
    compiler = _Compiler(friends, known, run_id)
    compiler.publish(rest.items, None, {})
    return compiler.roots


def root_paths(rest: Rest) -> list[str]:
    """Paths of the tasks that are published from here: those that wait for nothing."""
    return [call.node.path for call in rest.calls() if call.before is not PENDING]


@dataclass(slots=True)
class _Compiler:
    friends: Mapping[str, Mapping[str, Any]]
    scope: Scope
    run_id: str
    roots: dict[str, Root] = field(default_factory=dict)

    def publish(
        self, items: Sequence[Left], join: Mapping[str, Any] | None, joins: Mapping[str, int]
    ) -> None:
        """Make the roots of what goes on one after the other.

        Args:
            items: What is left.
            join: Options of the last task, if a join waits for it.
            joins: All joins that wait for it in the end.
        """
        head, *behind = items
        later = self._links(behind)
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
        """The task with its arguments; a result that isn't there yet is the workers' to put in."""
        node, task = call.node, call.node.task
        if task is None:
            raise TypeError(f"No task stands at {node.path!r}.")
        before = NOTHING if call.before is PENDING else call.before
        args, kwargs = payload(node, self.scope.at(before), before)
        if (missing := next(missing_in(args, kwargs), None)) is not None:
            raise UsageError(f"Step {node.path or '0'} ({task.task_name}): {missing.why}.")
        return task, args, kwargs

    def _links(self, items: Sequence[Left]) -> list[Signature]:
        """Signatures of what goes on one after the other; a para takes what joins it with it."""
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
    """Have a join wait for a link; for what is a join itself, it waits for the end of that."""
    while link["subtask_type"] == "chord":
        link = link["kwargs"]["body"]
    link["options"].update(join)
