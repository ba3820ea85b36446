"""Plan a run from a workflow: the same tree, with an id for each task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import Any

from kimera_tui.config.friends import secret_params
from kimera_tui.documents.calls import Chain, Para, Step, Task
from kimera_tui.documents.document import (
    ChainStep,
    Condition,
    Defaults,
    Document,
    ParaStep,
    Retry,
    TaskStep,
    called,
    children_of,
)
from kimera_tui.documents.document import Step as DocumentStep
from kimera_tui.documents.references import is_secret_variable, references_in
from kimera_tui.process.task_params import TaskParams
from kimera_tui.runs.plan import Node, OnTimeout, PlannedTask, RetryRule, Rules, child_path

ON_TIMEOUT: OnTimeout = "revoke"
"""What a step does on timeout by default: a task that has not begun never will."""


def plan_of(
    step: Step,
    new_id: Callable[[], str],
    secret: Callable[[TaskParams], frozenset[str]] = lambda _: frozenset(),
    path: str = "",
) -> Node:
    """The plan of calls that were put together in memory, with an id for each task.

    Args:
        step: The root of the workflow's tree, or of a part of it.
        new_id: Creates task ids.
        secret: Returns the names of a call's secret arguments.
        path: The path of the part in the whole.
    """
    match step:
        case Task():
            hidden = step.secret | secret(step.params)
            return Node("task", path, task=_planned(step.params, new_id(), hidden))
        case Chain() | Para():
            children = tuple(
                plan_of(child, new_id, secret, child_path(path, position))
                for position, child in enumerate(step.steps)
            )
            return Node("chain" if isinstance(step, Chain) else "para", path, children)


def _planned(params: TaskParams, task_id: str, secret: frozenset[str]) -> PlannedTask:
    return PlannedTask(
        task_id,
        params.friend,
        params.task_name,
        tuple(params.args),
        dict(params.kwargs),
        params.timeout,
        secret,
    )


class DocumentPlanner:
    """Plans runs of documents.

    Args:
        new_id: Creates task ids.
        secret_params: Returns the named arguments of a friend's task that are declared secret.
        timeout_of: Returns the default timeout of a friend's tasks, in seconds.
    """

    def __init__(
        self,
        new_id: Callable[[], str],
        secret_params: Callable[[str, str], frozenset[str]] = lambda friend, task: frozenset(),
        timeout_of: Callable[[str], float] = lambda friend: 30.0,
    ) -> None:
        self._new_id = new_id
        self._secret_params = secret_params
        self._timeout_of = timeout_of

    def plan(self, document: Document) -> Node:
        """The plan of a document; a document of one step is just that step.

        Raises:
            TemplateError: a template is malformed.
        """
        secrets = frozenset(name for name, spec in document.inputs.items() if spec.type == "secret")
        branch = _Branch(self, document, secrets)
        if len(document.steps) == 1 and not document.finally_:
            return branch.node(document.steps[0], "")
        return Node(
            "chain",
            "",
            branch.nodes(document.steps, ""),
            finals=branch.nodes(document.finally_, "", "f"),
        )

    def task(
        self, step: TaskStep, document: Document, secret_inputs: Collection[str]
    ) -> PlannedTask:
        """The call of one step, with its templates as written."""
        friend, name = called(step, document)
        declared = self._secret_params(friend, name)  # an upstream result may contain one, too
        return PlannedTask(
            self._new_id(),
            friend,
            name,
            tuple(step.args),
            dict(step.kwargs),
            step.timeout or document.defaults.timeout or self._timeout_of(friend),
            declared | tainted(step.kwargs, secret_inputs),
        )


def planner_of(
    friends: Mapping[str, Mapping[str, Any]], new_id: Callable[[], str]
) -> DocumentPlanner:
    """A planner with the timeouts and secrets of friends.yaml."""

    def timeout_of(friend: str) -> float:
        return float(friends.get(friend, {}).get("timeout", 30))

    return DocumentPlanner(
        new_id, lambda friend, task: secret_params(friends.get(friend, {}), task), timeout_of
    )


def tainted(kwargs: Mapping[str, Any], secret_inputs: Collection[str]) -> frozenset[str]:
    """Names of the arguments that look up a secret input or a secret environment variable."""
    return frozenset(
        name
        for name, value in kwargs.items()
        for reference in references_in(value)
        if is_secret_variable(reference)
        or (reference.root == "inputs" and reference.path and reference.path[0] in secret_inputs)
    )


class _Branch:
    """Plans the steps of one document."""

    def __init__(
        self, planner: DocumentPlanner, document: Document, secret_inputs: Collection[str]
    ) -> None:
        self._planner = planner
        self._document = document
        self._secret_inputs = secret_inputs

    def nodes(self, steps: Sequence[DocumentStep], path: str, branch: str = "") -> tuple[Node, ...]:
        return tuple(
            self.node(step, child_path(path, position, branch))
            for position, step in enumerate(steps)
        )

    def node(self, step: DocumentStep, path: str) -> Node:
        task = None
        if isinstance(step, TaskStep):
            task = self._planner.task(step, self._document, self._secret_inputs)
        return Node(
            _KINDS[type(step)],
            path,
            self.nodes(children_of(step), path),
            task,
            step.id,
            _rules(step, self._document.defaults),
            self.nodes(step.handlers, path, "e"),
        )


_SAME = {field.name for field in fields(Rules)} - {"when", "retry"}
_KINDS: Mapping[type, Any] = {TaskStep: "task", ChainStep: "chain", ParaStep: "para"}


def _rules(step: DocumentStep, defaults: Defaults) -> Rules:
    """The rules of a step; options of the same name are copied."""
    options: dict[str, Any] = {name: getattr(step, name, None) for name in _SAME}
    if isinstance(step, TaskStep):
        options |= {
            name: options[name] or getattr(defaults, name)
            for name in _SAME & Defaults.model_fields.keys()
        }
        options["on_timeout"] = options["on_timeout"] or ON_TIMEOUT
        options |= {"templated": True, "passing": step.pass_}
        options["retry"] = _retry(step.retry or defaults.retry)
    return Rules(
        **{name: value for name, value in options.items() if value is not None},
        when=plain_condition(step.when),
        goes_on=step.on_error == "continue",
        fail_fast=isinstance(step, ParaStep) and step.fail == "fast",
    )


def plain_condition(condition: Condition | None) -> dict[str, Any] | None:
    """A condition as a document writes it."""
    if condition is None:
        return None
    return condition.model_dump(by_alias=True, exclude_unset=True)


def _retry(retry: Retry | None) -> RetryRule | None:
    if retry is None or not retry.max:
        return None
    return RetryRule(retry.max, retry.delay, retry.factor, retry.max_delay, tuple(retry.on))
