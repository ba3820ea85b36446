"""A run's plan as plain JSON and back; rules with their default value are left out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from kimera_tui.runs.journal.value_codec import (
    Packer,
    args_from,
    kwargs_from,
    mark_templates,
    unpack,
)
from kimera_tui.runs.plan import PLAIN, Node, PlannedTask, RetryRule, Rules

_RULES = {field.name: getattr(PLAIN, field.name) for field in dataclasses.fields(Rules)}


def plain_plan(node: Node, packer: Packer) -> dict[str, Any]:
    """The plan as plain JSON.

    Args:
        node: The root, or a part of the tree.
        packer: The packer of the run, which leaves secrets out.
    """
    plain: dict[str, Any] = {"kind": node.kind, "path": node.path}
    if node.id:
        plain["id"] = node.id
    if node.rules != PLAIN:
        plain["rules"] = _plain_rules(node.rules, packer)
    for name in ("children", "handlers", "finals"):
        if nodes := getattr(node, name):
            plain[name] = [plain_plan(child, packer) for child in nodes]
    if (task := node.task) is not None:
        args, kwargs = written_payload(node)
        plain["task"] = {
            "id": task.task_id,
            "friend": task.friend,
            "name": task.task_name,
            "args": packer.pack(args, "args", task.secret),
            "kwargs": packer.pack(kwargs, "kwargs", task.secret),
            "timeout": task.timeout,
            "secret": sorted(task.secret),
        }
    return plain


def plan_from(plain: Mapping[str, Any]) -> Node:
    """The plan that ``plain_plan`` returned.

    Raises:
        ValueError, TypeError, KeyError: ``plain`` has another shape.
    """
    below = {
        name: tuple(plan_from(child) for child in plain.get(name, ()))
        for name in ("children", "handlers", "finals")
    }
    task = plain.get("task")
    return Node(
        plain["kind"],
        plain["path"],
        task=_task_from(task) if task else None,
        id=plain.get("id", ""),
        rules=_rules_from(plain["rules"]) if "rules" in plain else PLAIN,
        **below,
    )


def written_payload(node: Node) -> tuple[list[Any], dict[str, Any]]:
    """Args and kwargs of a task as planned, with templates marked as such."""
    if node.task is None:
        return [], {}
    args, kwargs = list(node.task.args), dict(node.task.kwargs)
    return (
        (mark_templates(args), mark_templates(kwargs)) if node.rules.templated else (args, kwargs)
    )


def _plain_rules(rules: Rules, packer: Packer) -> dict[str, Any]:
    plain = {
        name: getattr(rules, name)
        for name, default in _RULES.items()
        if getattr(rules, name) != default
    }
    if rules.retry is not None:
        plain["retry"] = dataclasses.asdict(rules.retry) | {"on": list(rules.retry.on)}
    if rules.when is not None:
        plain["when"] = packer.pack(rules.when, "when")
    return plain


def _rules_from(plain: Mapping[str, Any]) -> Rules:
    known = {name: value for name, value in plain.items() if name in _RULES}
    if retry := known.get("retry"):
        known["retry"] = RetryRule(**{**retry, "on": tuple(retry["on"])})
    if "when" in known:
        known["when"] = unpack(known["when"])
    return Rules(**known)


def _task_from(plain: Mapping[str, Any]) -> PlannedTask:
    return PlannedTask(
        plain["id"],
        plain["friend"],
        plain["name"],
        args_from(plain["args"]),
        kwargs_from(plain["kwargs"]),
        plain["timeout"],
        frozenset(plain["secret"]),
    )
