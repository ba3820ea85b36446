"""Decide what a run does next: chains, paras, conditions, errors and stops, without I/O.

Report the outcome of each step, and the schedule returns the actions that follow. It has no event
loop, clock or journal: time and ids are passed in. The executor performs the actions; nothing else
decides what is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kimera_tui.documents.conditions import holds, say
from kimera_tui.documents.document import Condition
from kimera_tui.documents.references import TemplateError
from kimera_tui.errors import KimeraError, ResultUnknown
from kimera_tui.execution.actions import Action, Finish, GiveUp, Stop
from kimera_tui.execution.attempts import Attempts, Step
from kimera_tui.execution.completion import GIVEN_UP, ResultNeeded, RunStopped, RunTimedOut
from kimera_tui.execution.frames import Agenda, Frame
from kimera_tui.execution.skip import Skips
from kimera_tui.execution.template_scope import NOTHING, Scope
from kimera_tui.execution.unknown_results import STATUS, UnknownResults
from kimera_tui.runs.events import StepIntended
from kimera_tui.runs.plan import Node
from kimera_tui.runs.recovery import Verdict
from kimera_tui.runs.status import Status
from kimera_tui.runs.step import StepState
from kimera_tui.values.durations import duration_text

ALL = 1 << 30


@dataclass(slots=True)
class Schedule:
    """The state of one run that decides what comes next.

    Args:
        plan: The run's tree.
        scope: What templates and conditions look up; receives each result.
        new_id: Creates task ids for retries.
        recorded: The journal's state of each step, by path; empty for a new run.
        verdicts: The fate of each step that was in flight, by path.
        intents: What was about to be sent, by path.
        started: When the run started, in seconds since the epoch.
        timeout: Seconds for everything but the ``finally`` steps; None for no limit.
        asks: Whether an operator can be asked about uncertain steps.
    """

    plan: Node
    scope: Scope
    new_id: Callable[[], str]
    recorded: Mapping[str, StepState] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    intents: Mapping[str, StepIntended] = field(default_factory=dict)
    started: float = 0.0
    timeout: float | None = None
    asks: bool = False
    phase: int = 0
    """0 for the main steps, 1 for the first ``finally`` step, and so on."""
    halted: bool = False
    """Whether nothing more is sent in this phase."""
    attempts: Attempts = field(init=False)
    skips: Skips = field(init=False)
    unknown: UnknownResults = field(init=False)
    _agenda: Agenda = field(default_factory=Agenda)
    _paras: dict[str, Frame] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)
    """Paths of the steps in a para that gave up after a branch failed."""
    _main_ended: bool = False
    """Whether all main steps had ended according to the journal."""
    _late: str = ""
    """Why the run timed out; empty if it did not."""
    _main: tuple[Any, Exception | None] = (None, None)
    """Result and error of the main steps."""
    _final_error: Exception | None = None

    def __post_init__(self) -> None:
        self.skips = Skips(self._agenda, self.recorded)
        self.unknown = UnknownResults(self.scope, self.recorded)
        self.attempts = Attempts(
            self._agenda,
            self.scope,
            self.new_id,
            self.asks,
            self.stopped,
            self._step_ended,
            self.recorded,
            self.verdicts,
            self.intents,
        )
        if self.recorded:
            self._resume_main()
        self._agenda.add(None, partial(self._enter, self.plan, None, 0, NOTHING, None))

    def _resume_main(self) -> None:
        """Learn whether the main steps had ended, and whether the run's timeout ended them."""
        finals = {path for node in self.plan.finals for path, _ in node.leaves()}
        main = [self.recorded.get(path) for path, _ in self.plan.leaves() if path not in finals]
        ended = [step for step in main if step is not None and step.status.ended]
        self._main_ended = len(ended) == len(main)
        if self._main_ended and self.timeout is not None:
            end = self.started + self.timeout
            stopped = (Status.REVOKED, Status.UNREACHABLE)
            if any(step.status in stopped and (step.ended_at or 0.0) >= end for step in ended):
                self._late = self._too_late()

    def todo(self, now: float, most: int = ALL) -> list[Action]:
        """Return the actions that are due, given everything reported so far.

        Args:
            now: Seconds since the epoch.
            most: Roughly how many to return; ``busy`` says whether there are more.
        """
        self._agenda.now = now
        self.attempts.send_due()
        deadline = self._deadline()
        if deadline is not None and now >= deadline:
            self._late = self._too_late()
            self.halt()
            self._agenda.actions.append(Stop())
        self._agenda.work(most)
        return self._agenda.take()

    @property
    def busy(self) -> bool:
        """Whether ``todo`` has more actions right now."""
        return self._agenda.busy

    def next_time(self) -> float | None:
        """When the next action falls due, in seconds since the epoch; None for never."""
        times = (self.attempts.next_time(), self._deadline())
        return min((each for each in times if each is not None), default=None)

    def stopped(self, path: str) -> RunStopped | None:
        """Why a step may no longer be sent; None if it may."""
        if path in self._given_up:
            return RunStopped(GIVEN_UP)
        return RunStopped() if self.halted else None

    def sent(self, path: str) -> None:
        """Report that a step's task is being published."""
        self.skips.settled.add(path)
        self.attempts.sent(path)

    def hand_over(self, verdicts: Mapping[str, Verdict]) -> None:
        """Let the workers finish the run: these steps are watched, and timeouts no longer apply."""
        self.timeout, self._late = None, ""
        self.verdicts = self.attempts.verdicts = {**verdicts, **self.verdicts}

    def given_up(self, path: str) -> None:
        """Report that nothing below an abandoned para is in flight any more."""
        if (para := self._paras.get(path)) is None:
            return
        self._agenda.drop_below(para)
        self._paras = {
            each: other for each, other in self._paras.items() if not other.is_below(para)
        }
        for child in para.node.children:
            self._forget([below for below, _ in child.leaves()])
            self.skips.skip(child, GIVEN_UP, unreachable=True)
        para.giving_up, para.open, para.begun = False, 0, len(para.running)
        self._agenda.add(para, partial(self._more_branches, para))

    def halt(self) -> None:
        """Send nothing more in this phase."""
        self.halted = True
        self.attempts.stop_waiting(RunStopped())

    def abandon(self) -> None:
        """End this phase even though some of its tasks have not ended."""
        self._forget(list(self.attempts.open))
        self._paras.clear()
        self._agenda.clear()
        self._agenda.add(None, partial(self._phase_over, None, RunStopped()))

    def skip_rest(self, because: str) -> list[Action]:
        """Skip every unsent step except those in ``finally``."""
        self.skips.skip(self.plan, because, unreachable=True)
        return self._agenda.take()

    def _forget(self, paths: Collection[str]) -> None:
        """Stop tracking steps; those that were not sent can be skipped."""
        for path in paths:
            step = self.attempts.forget(path)
            if step is not None and not step.sent:
                self.skips.settled.discard(path)

    # --- parts of the tree ----------------------------------------------------------------------

    def _enter(
        self, node: Node, parent: Frame | None, index: int, upstream: Any, error: Exception | None
    ) -> None:
        """Begin a part of the tree, unless its condition does not hold."""
        needed = self.unknown.needed_by_condition(node, upstream, self.verdicts)
        try:
            wanted = needed is not None or self._wanted(node, upstream, error)
        except TemplateError as error_in_condition:
            self.skips.skip(node, f"its condition cannot be evaluated: {error_in_condition}")
            self._child_failed(parent, index, error_in_condition)
            return
        if wanted and needed is None and node.task is not None:
            needed = self.unknown.needed_by_task(node, upstream, self.verdicts)
        if needed is not None:
            self.skips.skip(node, f"{needed.unknown.why}, so it cannot be sent")
            self._failed(Frame(node, parent, index, upstream, error), needed)
        elif not wanted:
            self._child_done(parent, index, None)
        elif node.task is not None:
            self.attempts.begin(Step(node, parent, index, upstream, error, task=node.task))
        elif node.kind == "chain":
            self._next(Frame(node, parent, index, upstream, error, node.children), 0, upstream)
        else:
            para = Frame(node, parent, index, upstream, error, node.children)
            para.results = [None] * len(node.children)
            self._paras[node.path] = para
            self._more_branches(para)

    def _step_ended(self, step: Step, result: Any, error: Exception | None) -> None:
        path = step.node.path
        if step.sent or not isinstance(error, RunStopped):
            self.skips.settled.add(path)
        else:
            self.skips.settled.discard(path)
        if isinstance(error, ResultUnknown):  # not known to have failed
            self.skips.skip_handlers(step.node, "only its result is unknown")
            self._child_done(step.parent, step.index, self.unknown.note(step, error))
        elif error is None:
            self._done(step, result)
        else:
            self._failed(step, error)

    def _done(self, frame: Frame, result: Any) -> None:
        self.scope.note(frame.node.id, result, "done")
        self.skips.skip_handlers(frame.node, "nothing went wrong")
        self._child_done(frame.parent, frame.index, result)

    def _failed(self, frame: Frame, error: Exception) -> None:
        if isinstance(error, RunStopped):
            self._child_failed(frame.parent, frame.index, error)
            return
        if isinstance(error, ResultNeeded):
            self.skips.skip_handlers(frame.node, "only a result is unknown")
            self.scope.note(frame.node.id, error.unknown, STATUS)
            if frame.node.rules.goes_on:
                self._child_done(frame.parent, frame.index, error.unknown)
            else:
                self._child_failed(frame.parent, frame.index, error)
            return
        self.scope.note(frame.node.id, None, "failed")
        frame.caught, frame.running = error, frame.node.handlers
        self._next(frame, 0, NOTHING)

    def _handled(self, frame: Frame) -> None:
        """Continue after the error handlers of a part, if it has any."""
        if frame.node.rules.goes_on or frame.caught is None:
            self._child_done(frame.parent, frame.index, None)
        else:
            self._child_failed(frame.parent, frame.index, frame.caught)

    def _child_done(self, frame: Frame | None, index: int, result: Any) -> None:
        if frame is None:
            self._phase_over(result, None)
        elif frame.is_para:
            frame.results[index] = result
            self._branch_ended(frame)
        else:
            self._next(frame, index + 1, result)

    def _child_failed(self, frame: Frame | None, index: int, error: Exception) -> None:
        if frame is None:
            self._phase_over(None, error)
        elif frame.is_para:
            frame.failures[index] = error
            if frame.node.rules.fail_fast and frame.first_failure and not frame.giving_up:
                self._give_up(frame)
            self._branch_ended(frame)
        else:
            self.skips.after(frame.running[index + 1 :], frame.running[index], error)
            if frame.caught is None:
                self._failed(frame, error)
            elif isinstance(error, KimeraError):  # the handler's own events show it
                self._handled(frame)
            else:
                self._child_failed(frame.parent, frame.index, error)

    def _next(self, frame: Frame, index: int, upstream: Any) -> None:
        """Continue with the next child or handler of a sequence."""
        if index < len(frame.running):
            child, error = frame.running[index], frame.caught or frame.error
            self._agenda.add(frame, partial(self._enter, child, frame, index, upstream, error))
        elif frame.caught is None:
            self._done(frame, upstream)
        else:
            self._handled(frame)

    # --- paras ----------------------------------------------------------------------------------

    def _more_branches(self, para: Frame) -> None:
        """Begin the next branch if there is one and a free slot, or end the para."""
        most = para.node.rules.max_parallel
        if para.begun < len(para.running):
            if most is None or para.open < most:
                child, index = para.running[para.begun], para.begun
                para.begun, para.open = para.begun + 1, para.open + 1
                self._agenda.add(para, partial(self._more_branches, para))
                self._enter(child, para, index, para.upstream, para.error)
        elif not para.open and not para.giving_up and para.node.path in self._paras:
            del self._paras[para.node.path]
            self._para_over(para)

    def _branch_ended(self, para: Frame) -> None:
        para.open -= 1
        if not para.open or para.begun < len(para.running):
            self._agenda.add(para, partial(self._more_branches, para))

    def _para_over(self, para: Frame) -> None:
        if para.failures:
            first = para.first_failure if para.node.rules.fail_fast else None
            self._failed(para, first or para.worst_failure)
        elif para.node.rules.gather == "dict":
            names = (child.id for child in para.node.children)
            self._done(para, dict(zip(names, para.results, strict=True)))
        else:
            self._done(para, para.results)

    def _give_up(self, para: Frame) -> None:
        para.giving_up = True
        paths = frozenset(path for child in para.node.children for path, _ in child.leaves())
        self._given_up |= paths
        self.attempts.stop_waiting(RunStopped(GIVEN_UP), paths)
        self._agenda.actions.append(GiveUp(para.node.path, paths))

    # --- the whole run --------------------------------------------------------------------------

    def _phase_over(self, result: Any, error: Exception | None) -> None:
        if self.phase == 0:
            self._main = (result, error)
            if self._late:
                self.skips.skip(self.plan, self._late, unreachable=True)
                self._main = (None, RunTimedOut(f"{self._late.capitalize()}."))
        elif self._final_error is None:
            self._final_error = error
        if self.phase == len(self.plan.finals) or (self.phase > 0 and self.halted):
            result, error = self._main
            error = error or self._final_error or self.unknown.error
            self._agenda.actions.append(Finish(self.unknown.without(result), error))
            return
        upstream = NOTHING if self.phase == 0 or error is not None else result
        self.phase, self.halted = self.phase + 1, False
        final = self.plan.finals[self.phase - 1]
        self._agenda.add(None, partial(self._enter, final, None, 0, upstream, None))

    def _too_late(self) -> str:
        return f"the run timed out after {duration_text(self.timeout or 0)}"

    def _deadline(self) -> float | None:
        """When the main steps time out, in seconds since the epoch."""
        if self.timeout is None or self.phase > 0 or self._late or self._main_ended:
            return None
        return self.started + self.timeout

    # --- conditions -----------------------------------------------------------------------------

    def _wanted(self, node: Node, upstream: Any, error: Exception | None) -> bool:
        """Whether the condition of a part holds; raises TemplateError if it cannot be evaluated."""
        if node.rules.when is None or self._was_begun(node):
            return True
        recorded = [self.recorded.get(path) for path, _ in node.leaves()]
        if not all(step is not None and step.status is Status.NOT_NEEDED for step in recorded):
            condition = Condition.model_validate(node.rules.when)
            if holds(condition, self.scope.at(upstream, error)):
                return True
            self.skips.skip(node, f"it runs only when {say(condition)}", not_needed=True)
        for _, each in node.walk():
            self.scope.note(each.id, None, Status.NOT_NEEDED)
        return False

    def _was_begun(self, node: Node) -> bool:
        """Whether an earlier console began a part, so its condition held then.

        Steps reused from another run do not count: this run evaluates their conditions itself.
        """
        for path, _ in node.leaves():
            recorded = self.recorded.get(path)
            if path in self.verdicts or (
                recorded is not None
                and recorded.status not in (Status.WAITING, Status.NOT_NEEDED)
                and recorded.source != "journal"
            ):
                return True
        return False
