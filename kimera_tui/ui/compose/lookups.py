"""What a step's templates refer to: where each value comes from, and its last one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kimera_tui.documents.addresses import step_at
from kimera_tui.documents.conditions import references_of
from kimera_tui.documents.data_flow import UNKNOWN, fed_by, known_result, result_words, takes_result
from kimera_tui.documents.document import Document, Step, TaskStep, all_steps
from kimera_tui.documents.references import Reference, references_in
from kimera_tui.errors import KimeraError
from kimera_tui.redaction import redact
from kimera_tui.safetext import compact, safe, trimmed
from kimera_tui.ui.compose.rows import Row
from kimera_tui.ui.widgets.lines import Line

MOST = 40
"""References of one step that are shown."""


def reference_lines(
    document: Document, step: Step, results: Mapping[str, Any], inputs: Mapping[str, Any]
) -> list[Line]:
    """The lines that resolve a step's references, under a title; none if it has none."""
    try:
        found = list(dict.fromkeys(_references(step)))
    except KimeraError:
        return []  # a malformed template is among the problems
    if not found:
        return []
    wanted = {str(each.path[0]) for each in found if each.root == "steps" and each.path}
    steps = {each.id: each for each in all_steps(document) if each.id in wanted} if wanted else {}
    lines: list[Line] = [(("", ""),), ((" What it looks up", "key"),)]
    for reference in found[:MOST]:
        lines += _resolved(reference, document, steps, results, inputs)
    return lines


def parts_of(document: Document, row: Row) -> dict[str, str]:
    """The steps that feed the step of a line, by id, with what they give."""
    if row.step is None:
        return {}
    parts: dict[str, str] = {}
    try:
        found = list(_references(row.step))
    except KimeraError:
        found = []
    for reference in found[:MOST]:
        if reference.root == "steps" and reference.path:
            parts[str(reference.path[0])] = "looked up"
    source = fed_by(document, row.address)
    if source is not None and takes_result(row.step):
        parts[step_at(document, source).id] = "comes in"
    parts.pop(row.step.id, None)
    return parts


def _references(step: Step) -> Iterator[Reference]:
    if isinstance(step, TaskStep):
        yield from references_in([step.args, step.kwargs])
    if step.when is not None:
        yield from references_of(step.when)


def _resolved(
    reference: Reference,
    document: Document,
    steps: Mapping[str, Step],
    results: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> list[Line]:
    path = reference.path
    words, value = _source(reference.root, path, document, steps, results, inputs)
    lines: list[Line] = [
        (
            (f" {safe(str(reference), 120)}  ", "active"),
            (words, "warning" if words[0] == "⚠" else "dim"),
        )
    ]
    if value is not UNKNOWN:
        lines.append((("   last run ", "dim"), (compact(redact(trimmed(value)), 300), "good")))
    return lines


def _source(
    root: str,
    path: Sequence[Any],
    document: Document,
    steps: Mapping[str, Step],
    results: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> tuple[str, Any]:
    """Where a reference leads, in words, and its value in the last run."""
    first = str(path[0]) if path else ""
    if root == "inputs":
        spec = document.inputs.get(first)
        if spec is None:
            return f"⚠ no input `{safe(first, 60)}`", UNKNOWN
        value = UNKNOWN if spec.type == "secret" else inputs.get(first, UNKNOWN)
        return f"the input, {spec.type}", _inside(value, path[1:])
    if root == "steps":
        step = steps.get(first)
        if step is None:
            return f"⚠ no step `{safe(first, 60)}`", UNKNOWN
        if path[1:2] != ("result",):
            return f"of step {first}", UNKNOWN
        result = result_words(step)
        words = f"from {first}" if result == "its result" else f"from {first}, {result}"
        return words, _inside(known_result(step, results), path[2:])
    others = {"prev": "what comes in", "run": "this run", "env": "the environment"}
    return others.get(root, "what went wrong" if root == "error" else ""), UNKNOWN


def _inside(value: Any, path: Sequence[Any]) -> Any:
    """The part of a value that a path leads to; ``UNKNOWN`` if it leads nowhere."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return UNKNOWN
    return value
