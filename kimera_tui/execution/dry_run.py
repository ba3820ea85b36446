"""Show what a run would send, without sending anything."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.config.friends import Friend, secret_params
from kimera_tui.documents.document import Document, TaskStep, all_steps, called
from kimera_tui.documents.inputs import resolve
from kimera_tui.documents.references import references_in, render
from kimera_tui.execution.planning import tainted
from kimera_tui.execution.run_inputs import RunInputs
from kimera_tui.redaction import MASK, redact
from kimera_tui.values.durations import duration_text

_LATER = ("steps", "prev", "run", "error")
"""Roots that have values only while the run executes."""


def dry_run(
    document: Document,
    run_inputs: RunInputs,
    friends: Mapping[str, Friend],
    environ: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Every call with its payload; values known only during the run stay templates.

    Args:
        document: The workflow.
        run_inputs: Its inputs.
        friends: The configured friends.
        environ: The variables it may read; if empty, their templates stay too.

    Raises:
        UsageError: an input is missing or wrong.
        TemplateError: a template looks up something that does not exist.
    """
    scope = {
        "inputs": resolve(document.inputs, run_inputs.inputs),
        "env": {name: environ[name] for name in document.env if name in environ},
    }
    later = _LATER if environ else (*_LATER, "env")
    secrets = [name for name, spec in document.inputs.items() if spec.type == "secret"]
    calls: list[dict[str, Any]] = []
    for step in all_steps(document):
        if not isinstance(step, TaskStep):
            continue
        friend, task = called(step, document)
        config = friends.get(friend)
        declared = secret_params(config.as_mapping(), task) if config is not None else frozenset()
        params = [*config.tasks[task].params] if config and task in config.tasks else []
        secret = _Secret(secrets, declared)
        timeout = step.timeout or document.defaults.timeout or (config.timeout if config else 30.0)
        calls.append(
            {
                "step": step.id,
                "friend": friend,
                "task": task,
                "queue": config.queue if config is not None else "",
                "args": [*secret.shown(_named(step.args, params), scope, later).values()],
                "kwargs": secret.shown(step.kwargs, scope, later),
                "timeout": duration_text(timeout),
            }
        )
    return calls


def _named(args: Sequence[Any], params: Sequence[str]) -> dict[str, Any]:
    """Arguments by parameter name, or by position beyond the declared parameters."""
    return {params[n] if n < len(params) else str(n): value for n, value in enumerate(args)}


@dataclass(frozen=True, slots=True)
class _Secret:
    """What to mask in one call."""

    inputs: Sequence[str]
    """Names of the secret inputs."""
    declared: frozenset[str]
    """Names of the secret parameters."""

    def shown(
        self, values: Mapping[str, Any], scope: Mapping[str, Any], later: Collection[str]
    ) -> dict[str, Any]:
        """Named arguments, filled in where possible, with secrets masked."""
        hidden = tainted(values, self.inputs) | self.declared
        known = {key: value for key, value in values.items() if key not in hidden}
        shown = redact(filled(known, scope, later))
        return {key: MASK if key in hidden else shown[key] for key in values}


def filled(value: Any, scope: Mapping[str, Any], later: Collection[str] = _LATER) -> Any:
    """A value with its templates filled in where possible; the others stay as written."""
    if isinstance(value, Mapping):
        return {key: filled(child, scope, later) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [filled(child, scope, later) for child in value]
    if isinstance(value, str) and any(each.root in later for each in references_in(value)):
        return value
    return render(value, scope)
