"""What a run would send, as far as that is known before it: nothing is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kimera_tui.config.friends import Friend, secret_params
from kimera_tui.documents.document import Document, TaskStep, all_steps, called
from kimera_tui.documents.inputs import resolve
from kimera_tui.documents.references import references_in, render
from kimera_tui.execution.planning import tainted
from kimera_tui.execution.run_setup import Given
from kimera_tui.redaction import MASK, redact
from kimera_tui.values.durations import duration_text

_LATER = ("steps", "prev", "run", "error")
"""What can be looked up only while the run goes on."""


def dry_run(
    document: Document,
    given: Given,
    friends: Mapping[str, Friend],
    environ: Mapping[str, str],
) -> list[dict[str, Any]]:
    """Every call with its payload; what only the run will know stays as its template.

    Args:
        document: What is to be run.
        given: What it is given.
        friends: The configured friends.
        environ: The variables that it may read; empty where it may read none, and then their
            templates stay too.

    Raises:
        UsageError: an input is missing or wrong.
        TemplateError: something that is looked up isn't there.
    """
    scope = {
        "inputs": resolve(document.inputs, given.inputs),
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
    """Arguments by the names of their parameters, or by their positions beyond those."""
    return {params[n] if n < len(params) else str(n): value for n, value in enumerate(args)}


@dataclass(frozen=True, slots=True)
class _Secret:
    """What is not shown of one call."""

    inputs: Sequence[str]
    """Names of the inputs that are secrets."""
    declared: frozenset[str]
    """Names of the parameters that are."""

    def shown(
        self, values: Mapping[str, Any], scope: Mapping[str, Any], later: Collection[str]
    ) -> dict[str, Any]:
        """Named arguments, filled in as far as they can be, the secret ones masked."""
        hidden = tainted(values, self.inputs) | self.declared
        known = {key: value for key, value in values.items() if key not in hidden}
        shown = redact(filled(known, scope, later))
        return {key: MASK if key in hidden else shown[key] for key in values}


def filled(value: Any, scope: Mapping[str, Any], later: Collection[str] = _LATER) -> Any:
    """A value with those templates filled in that can be; the others stay as they are written."""
    if isinstance(value, Mapping):
        return {key: filled(child, scope, later) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [filled(child, scope, later) for child in value]
    if isinstance(value, str) and any(each.root in later for each in references_in(value)):
        return value
    return render(value, scope)
