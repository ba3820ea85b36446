"""What feeds a step, as far as the document and past results show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kimera_tui.documents.addresses import Address, step_at
from kimera_tui.documents.document import ChainStep, Document, ParaStep, Step, TaskStep, children_of
from kimera_tui.process.feeding import describe_feed

UNKNOWN: Final = object()
"""Stands for a result that is not known."""
_NOT_PASSED = "none"


def takes_result(step: Step) -> bool:
    """Whether a step uses its upstream result."""
    return not isinstance(step, TaskStep) or step.pass_ != _NOT_PASSED


def fed_by(document: Document, address: Address) -> Address | None:
    """The address of the upstream step; None if there is none."""
    where, index = address[:-1], int(address[-1])
    if where[-1] != "para" and index > 0:
        return (*where, index - 1)
    if where[-1] in ("chain", "para"):
        return fed_by(document, where[:-1])
    return None


def result_words(step: Step) -> str:
    """What a step's result consists of, for people."""
    match step:
        case ParaStep(gather="dict"):
            return f"a dict with {', '.join(child.id for child in step.para)}"
        case ParaStep():
            return f"a list of {len(step.para)}: {', '.join(child.id for child in step.para)}"
        case ChainStep():
            return f"the result of its last step, {_last(step).id}"
    return "its result"


def _last(step: Step) -> Step:
    while isinstance(step, ChainStep):
        step = step.chain[-1]
    return step


def known_result(step: Step, results: Mapping[str, Any]) -> Any:
    """The result of a step in a past run, or ``UNKNOWN``.

    Args:
        step: A task, chain or para.
        results: Results of the past run's tasks, by step id.
    """
    if isinstance(step, TaskStep):
        return results.get(step.id, UNKNOWN)
    if isinstance(step, ChainStep):
        return known_result(step.chain[-1], results)
    gathered = [known_result(child, results) for child in children_of(step)]
    if any(each is UNKNOWN for each in gathered):
        return UNKNOWN
    if step.gather == "dict":
        return {child.id: result for child, result in zip(step.para, gathered, strict=True)}
    return gathered


def known_feed(document: Document, address: Address, results: Mapping[str, Any]) -> Any:
    """The upstream result of a step in a past run, or ``UNKNOWN``."""
    source = fed_by(document, address)
    return UNKNOWN if source is None else known_result(step_at(document, source), results)


def feed_words(step: TaskStep, source: Step | None, value: Any = UNKNOWN) -> list[str]:
    """How the upstream result enters a call, in short lines; exact if the value is known.

    Args:
        step: The task that is called.
        source: The upstream step; None if there is none.
        value: Its result in a past run.
    """
    if source is None:
        return ["nothing: only its own arguments are sent"]
    match step.pass_:
        case "none":
            return ["not passed on: only its own arguments are sent"]
        case "first":
            return ["as the first argument"]
        case "payload":
            return ["as kwargs.payload"]
    if value is not UNKNOWN:
        return [describe_feed(value)]
    last = _last(source)
    if isinstance(last, ParaStep):
        if last.gather == "dict":
            return [f"merged into kwargs: {', '.join(child.id for child in last.para)}"]
        many = len(last.para)
        return [f"appended to args: {many} value{'s' if many != 1 else ''}"]
    return [
        "a dict is merged into kwargs and takes precedence",
        "a list is appended to args",
        "null adds nothing",
        "anything else becomes kwargs.payload",
    ]
