"""What a past run tells: its results for the next run, and the document that it began with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import ValidationError

from kimera_tui.documents.document import Document, ParaStep, TaskStep
from kimera_tui.documents.dump import document_from
from kimera_tui.documents.references import escape
from kimera_tui.documents.renaming import free_id
from kimera_tui.errors import UsageError
from kimera_tui.execution.planning import ON_TIMEOUT
from kimera_tui.runs.events import RunStarted
from kimera_tui.runs.index import RunState
from kimera_tui.runs.plan import Node, PlannedTask, Rules
from kimera_tui.runs.status import Status
from kimera_tui.values.placeholders import Withheld, missing_in


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


_DEFAULTS = {
    field.name: field.default for field in fields(Rules) if field.name not in ("when", "retry")
} | {"on_timeout": ON_TIMEOUT}


def document_of(started: RunStarted) -> Document:
    """The document that a run started from.

    A secret argument becomes a secret input that each run prompts for: its value was never saved.

    Raises:
        UsageError: a value of the run was not saved, or a document cannot express it.
    """
    try:
        return _document_of(started)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"This run cannot be saved as a workflow: {place}: {first['msg']}."
        ) from None


def _document_of(started: RunStarted) -> Document:
    base = document_from(started.header or {"name": started.name[:200] or "run"})
    builder = _Builder({name: {} for name in base.inputs})
    root = started.plan
    whole = root.kind == "chain" and not root.id
    steps = builder.steps(root.children if whole else [root])
    finals = builder.steps(root.finals)
    plain = base.model_dump(by_alias=True, exclude_defaults=True)
    plain["inputs"] = {**plain.get("inputs", {}), **builder.new_inputs}
    return Document.model_validate({**plain, "steps": steps, "finally": finals})


class _Builder:
    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._ids: set[str] = set()
        self._inputs = set(inputs)
        self.new_inputs: dict[str, Any] = {}

    def steps(self, nodes: Sequence[Node]) -> list[dict[str, Any]]:
        return [self._step(node) for node in nodes]

    def _step(self, node: Node) -> dict[str, Any]:
        plain: dict[str, Any] = {"id": self._id(node)}
        if node.rules.when is not None:
            plain["when"] = dict(node.rules.when)
        if node.handlers:
            plain["on_error"] = self.steps(node.handlers)
        elif node.rules.goes_on:
            plain["on_error"] = "continue"
        if node.task is not None:
            call = self._call(plain["id"], node.task, node.rules)
            return plain | call | _options(node.rules, TaskStep)
        plain[node.kind] = self.steps(node.children)
        if node.kind == "para":
            plain |= _options(node.rules, ParaStep)
        return plain

    def _id(self, node: Node) -> str:
        name = node.task.task_name if node.task is not None else node.kind
        step_id = free_id(node.id or name, self._ids)
        self._ids.add(step_id)
        return step_id

    def _call(self, step_id: str, task: PlannedTask, rules: Rules) -> dict[str, Any]:
        args, kwargs = list(task.args), dict(task.kwargs)
        if not rules.templated:
            args, kwargs = escape(args), escape(kwargs)
        secrets = {name: value for name, value in kwargs.items() if isinstance(value, Withheld)}
        kwargs |= {name: self._new_input(name, step_id) for name in secrets}
        if (missing := next(missing_in(args, kwargs), None)) is not None:
            raise UsageError(f"{task.friend}.{task.task_name}: {missing.why}.")
        plain: dict[str, Any] = {"task": task.task_name, "friend": task.friend}
        full_name = f"{task.friend}.{task.task_name}"
        if re.fullmatch(r"[\w:-]+\.[\w:-]+", full_name, re.ASCII) and len(full_name) < 256:
            plain = {"task": full_name}
        elif not task.friend:
            del plain["friend"]
        if task.timeout is not None:
            plain["timeout"] = task.timeout
        return plain | {key: value for key, value in (("args", args), ("kwargs", kwargs)) if value}

    def _new_input(self, name: str, step_id: str) -> str:
        """A template that looks up a new secret input.

        It gets an id of its own: an input of that name may be another step's secret, or no secret.
        """
        wanted = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:36] or "secret"
        wanted = wanted if wanted[0].isalpha() else f"secret_{wanted}"
        input_id = free_id(wanted, self._inputs)
        self._inputs.add(input_id)
        self.new_inputs[input_id] = {
            "type": "secret", "from": "prompt", "description": f"{name} of {step_id}"[:200]
        }  # fmt: skip
        return f"${{{{ inputs.{input_id} }}}}"


def _options(rules: Rules, kind: type[TaskStep | ParaStep]) -> dict[str, Any]:
    """The options that a step's rules came from, without defaults."""
    plain = {
        name: getattr(rules, name)
        for name in kind.model_fields.keys() & _DEFAULTS.keys()
        if getattr(rules, name) != _DEFAULTS[name]
    }
    if rules.passing != "auto":
        plain["pass"] = rules.passing
    if rules.fail_fast:
        plain["fail"] = "fast"
    if (retry := rules.retry) is not None:
        plain["retry"] = {
            "max": retry.most,
            "delay": retry.delay,
            "factor": retry.factor,
            "max_delay": retry.max_delay,
            "on": list(retry.on),
        }
    return plain
