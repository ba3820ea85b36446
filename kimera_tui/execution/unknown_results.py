"""Steps that ended with a result that is unknown: what needs it stops, everything else goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.references import Reference, TemplateError
from kimera_tui.errors import ResultUnknown
from kimera_tui.execution.completion import ResultNeeded
from kimera_tui.execution.frames import Frame
from kimera_tui.execution.replay.step_matching import argument_references, condition_references
from kimera_tui.execution.template_scope import NOTHING, Scope
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Verdict
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.placeholders import UnknownResult, missing_in

STATUS = "unknown"
"""Such a step's status, as templates and conditions look it up."""
_UNSENT = (Status.WAITING, Status.SKIPPED, Status.NOT_NEEDED)


@dataclass(slots=True)
class UnknownResults:
    """The steps of one run whose results are unknown.

    Args:
        scope: What templates look up; gets the stand-ins.
        recorded: The journal's state of each step, by path.
    """

    scope: Scope
    recorded: Mapping[str, StepState]
    error: ResultUnknown | None = None
    """The first one that no ``on_error: continue`` around it tolerates."""
    _any: bool = field(default=False)

    def note(self, step: Frame, error: ResultUnknown) -> UnknownResult:
        """Record a step's end; returns what stands for its result."""
        self._any = True
        if self.error is None and not _tolerated(step):
            self.error = error
        stand_in = UnknownResult(name_of(step.node))
        self.scope.note(step.node.id, stand_in, STATUS)
        return stand_in

    def needed_by_condition(
        self, node: Node, before: Any, verdicts: Mapping[str, Verdict]
    ) -> ResultNeeded | None:
        """Why it cannot be told whether a part is wanted; None if it can, or was told before.

        Args:
            node: A part that is about to begin.
            before: The upstream result, or ``NOTHING``.
            verdicts: The fate of each step that was in flight, or that workers send, by path.
        """
        if not self._any or node.rules.when is None:
            return None
        paths = [path for path, _ in node.leaves()]
        if all(self._status(path) is Status.NOT_NEEDED for path in paths):
            return None
        if any(path in verdicts or self._status(path) not in _UNSENT for path in paths):
            return None
        values = [self._value_of(ref, before) for ref in _read(node, condition_references)]
        return self._lacking(node, values)

    def needed_by_task(
        self, node: Node, before: Any, verdicts: Mapping[str, Verdict]
    ) -> ResultNeeded | None:
        """Why a step cannot be sent; None if it can, or was sent before. See above."""
        if not self._any or node.path in verdicts or self._status(node.path) not in _UNSENT:
            return None
        values = [self._value_of(ref, before) for ref in _read(node, argument_references)]
        if node.rules.passing != "none" and before is not NOTHING:
            values.append(before)
        return self._lacking(node, values)

    def without(self, result: Any) -> Any:
        """A run's result with null in place of the results that are unknown."""
        return _without(result) if self._any and unknown_in(result) is not None else result

    def _status(self, path: str) -> Status:
        recorded = self.recorded.get(path)
        return Status.WAITING if recorded is None else recorded.status

    def _lacking(self, node: Node, values: Iterable[Any]) -> ResultNeeded | None:
        for value in values:
            if (unknown := unknown_in(value)) is not None:
                return ResultNeeded(name_of(node), unknown)
        return None

    def _value_of(self, reference: Reference, before: Any) -> Any:
        """What a reference finds, or the stand-in that it meets on its way."""
        value: Any = {"prev": before, "steps": self.scope.steps}.get(reference.root)
        for part in reference.path:
            if isinstance(value, UnknownResult):
                return value
            try:
                value = value[part]
            except (LookupError, TypeError):
                return None
        return value


def unknown_in(value: Any) -> UnknownResult | None:
    """The first stand-in for an unknown result in a value."""
    return next((each for each in missing_in(value) if isinstance(each, UnknownResult)), None)


def _read(node: Node, references: Callable[[Node], list[Reference]]) -> list[Reference]:
    try:
        return references(node)
    except TemplateError:  # reported where it is filled in
        return []


def name_of(node: Node) -> str:
    """What a part is called in a sentence."""
    return node.id or (node.task.task_name if node.task is not None else node.kind)


def _tolerated(step: Frame) -> bool:
    frame: Frame | None = step
    while frame is not None and not frame.node.rules.goes_on:
        frame = frame.parent
    return frame is not None


def _without(value: Any) -> Any:
    """The value; only lists and dicts of paras hold stand-ins, so nothing else is copied."""
    if isinstance(value, UnknownResult):
        return None
    if isinstance(value, list):
        return [_without(each) for each in value]
    if isinstance(value, dict):
        return {key: _without(each) for key, each in value.items()}
    return value
