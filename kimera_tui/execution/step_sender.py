"""Make one attempt at a step: send or adopt its task, and save the result."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.documents.short_secrets import ShortSecrets
from kimera_tui.errors import KimeraError, UsageError
from kimera_tui.execution.actions import Adopt, Send
from kimera_tui.execution.background import BackgroundTasks
from kimera_tui.execution.completion import RunStopped
from kimera_tui.execution.detach.handover import Handover
from kimera_tui.execution.run_context import RunContext
from kimera_tui.execution.start_timeout import Starts
from kimera_tui.execution.template_scope import Scope, payload
from kimera_tui.process.call import Overtime
from kimera_tui.runs.events import StepHandedOver
from kimera_tui.runs.plan import Node, PlannedTask
from kimera_tui.values.placeholders import is_whole, missing_in

LEAST_WAIT = 5.0
"""Minimum seconds to wait for an adopted task, however little of its timeout is left."""
OUTAGE_SECONDS = 60.0
"""Seconds a broker outage may last without ending a step; a longer timeout extends it."""


@dataclass(slots=True)
class StepSender:
    """Sends the tasks of one run and waits for each to end.

    Args:
        run_id: The run.
        context: The engine, the journal and the emitter.
        scope: What templates look up.
        stopped: Returns why a step may no longer be sent; None if it may.
        sent: Called with the path of each step whose task is being published.
    """

    run_id: str
    context: RunContext
    scope: Scope
    stopped: Callable[[str], RunStopped | None]
    sent: Callable[[str], None]
    in_flight: dict[str, str] = field(default_factory=dict)
    """Path of each task that was published and has not ended, by task id."""
    handover: Handover | None = None
    """Set once the run is detached; timeouts no longer apply then."""
    late: BackgroundTasks = field(default_factory=BackgroundTasks)
    """Stops what was published although its run had been stopped."""
    _starts: Starts | None = None
    _short: ShortSecrets = field(default_factory=ShortSecrets)

    def close(self) -> None:
        """Stop listening."""
        if self._starts is not None:
            self._starts.close()

    async def send(self, action: Send) -> Any:
        """Send a step's task; return its result, or raise the error that ended it."""
        node, task, intent = action.node, action.task, action.intent
        self._check(node.path)
        if self.handover is not None:
            return await self._hand_over(node, task, self.handover)
        if intent is not None and is_whole(intent.args, intent.kwargs):
            return await self._publish(node, task, intent.args, intent.kwargs)
        try:
            scope = self.scope.at(action.upstream, action.error)
            args, kwargs = payload(node, scope, action.upstream)
        except UsageError as error:  # such as a secret that is gone
            raise self.context.refused(task, error) from None
        return await self._publish(node, task, args, kwargs)

    async def adopt(self, action: Adopt) -> Any:
        """Watch a task sent earlier; return its result, or raise the error that ended it."""
        node, task, recorded = action.node, action.task, action.recorded
        arrived: list[Any] = []
        manager, now = self.context.manager, self.context.emitter.now()
        sent = now if recorded is None else recorded.sent_at or recorded.since
        began = None if recorded is None else recorded.started_at
        timeout, overtime = self._patience(node, task, sent, began)
        if timeout is not None:
            timeout = max(LEAST_WAIT, timeout - (now - sent))
        with self._flying(node, task):
            handle = await manager.adoption.adopt(
                task.friend,
                task.task_name,
                task.task_id,
                self.context.hand_on(self.run_id, node.path, task, arrived),
                timeout,
                overtime,
                _through_outages(node, task),
                "" if recorded is None else recorded.queue,
            )
            if action.where:
                self.context.notice(task, action.where, against=False)
            if self.handover is not None and node.path not in self.handover.paths:
                self._announce_handed_over(node, task, action.upstream)
            await handle
        return arrived[0]

    def _check(self, path: str) -> None:
        if (stopped := self.stopped(path)) is not None:
            raise stopped

    async def _hand_over(self, node: Node, task: PlannedTask, handover: Handover) -> Any:
        """Publish a task whose message carries the tasks that follow it."""
        try:
            root = await handover.root(node.path)
        except KimeraError as error:
            handover.not_sent(node.path, error)
            raise self.context.refused(task, error) from None
        try:
            return await self._publish(node, task, root.args, root.kwargs, root.options)
        except KimeraError as error:
            handover.not_sent(node.path, error)
            raise

    async def _publish(
        self,
        node: Node,
        task: PlannedTask,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any] | None = None,
    ) -> Any:
        if (missing := next(missing_in(args, kwargs), None)) is not None:
            raise self.context.held(self.run_id, node.path, task, missing.why)
        task = self.context.with_secrets(task, len(args))
        await self.context.write_down(self.run_id, node.path, task, (args, kwargs))
        for text in self._short.news(args, kwargs, task.secret):
            self.context.notice(task, text, against=False)
        self._check(node.path)  # it may have been stopped in the meantime
        arrived: list[Any] = []
        with self._flying(node, task):
            timeout, overtime = self._patience(node, task, self.context.emitter.now())
            handle = await self.context.manager.send_async(
                task.task_name,
                task.friend,
                args,
                kwargs,
                self.context.hand_on(self.run_id, node.path, task, arrived),
                task_id=task.task_id,
                timeout=timeout,
                overtime=overtime,
                patience=_through_outages(node, task),
                secret=task.secret,
                **(options or {}),
            )
            if self.handover is not None:
                self.handover.sent(node.path)
            if self.stopped(node.path) is not None:  # while it was being published
                self.late.start(self.context.stop_soon(task))
            await handle
        return arrived[0]

    def _announce_handed_over(self, node: Node, task: PlannedTask, upstream: Any) -> None:
        try:
            args, kwargs = payload(node, self.scope.at(upstream), upstream)
        except KimeraError:  # a secret that only the detaching console had
            return
        self.context.emitter.emit(
            StepHandedOver(
                at=self.context.emitter.now(),
                run_id=self.run_id,
                path=node.path,
                args=tuple(args),
                kwargs=dict(kwargs),
                secret=task.secret,
            )
        )

    @contextlib.contextmanager
    def _flying(self, node: Node, task: PlannedTask) -> Iterator[None]:
        self.sent(node.path)
        self.in_flight[task.task_id] = node.path
        try:
            yield
        finally:
            self.in_flight.pop(task.task_id, None)

    def _patience(
        self, node: Node, task: PlannedTask, sent: float, began: float | None = None
    ) -> tuple[float | None, Overtime | None]:
        """Seconds to wait at first, and the function that may then grant more."""
        if self.handover is not None:
            return None, None
        if node.rules.start_timeout is None:
            return task.timeout, None
        if self._starts is None:
            self._starts = Starts(self.context.manager.events, self.context.emitter)
        return self._starts.patience(
            task.task_id, sent, node.rules.start_timeout, task.timeout, began
        )


def _through_outages(node: Node, task: PlannedTask) -> float:
    """How many seconds of an outage a step survives."""
    return max(OUTAGE_SECONDS, task.timeout or 0.0, node.rules.start_timeout or 0.0)
