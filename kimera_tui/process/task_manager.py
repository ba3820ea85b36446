"""TaskManager: sends tasks to friends through Celery, without blocking the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from kimera_tui.config.bootstrap import Bootstrap
from kimera_tui.config.env_file import load_env
from kimera_tui.process.adoption import Adoption
from kimera_tui.process.await_result import ResultWaiter
from kimera_tui.process.call import MAX_POLL, POLL_START, Call, Callback, Overtime
from kimera_tui.process.chains import checked_chain, emit_advanced, place, place_failure, placed
from kimera_tui.process.chords import Chords
from kimera_tui.process.dispatch import Dispatcher
from kimera_tui.process.engine import Receipt
from kimera_tui.process.engines import Engines
from kimera_tui.process.feeding import feed
from kimera_tui.process.helpers import Helpers
from kimera_tui.process.loop.bus import Emitter, EventBus
from kimera_tui.process.loop.clock import Clock, SystemClock, new_id
from kimera_tui.process.loop.gather import gather_in_order, start_in_slices
from kimera_tui.process.outcome import IsOver, MayDrop, Outcome
from kimera_tui.process.stopping.revoke_until_acked import (
    RETRY_EVERY,
    RETRY_LIMIT,
    revoke_until_acked,
)
from kimera_tui.process.stopping.stop_all import StopReport
from kimera_tui.process.task_params import TaskParams, call_of, checked_tasks
from kimera_tui.process.validation import gather_problem, is_async_callable, refused

CallbackBuilder = Callable[[Sequence[TaskParams], Sequence[str], int], Callback]
"""Builds a step's callback from the chain, the ids of its tasks and the step's position."""


class TaskManager:
    """Sends tasks to friends, returns their results and announces what happens as events.

    A singleton: ``TaskManager() is TaskManager()``, on any thread. Constructing it reads the
    configuration and does no network I/O. It works on the event loop that calls it, one running
    loop at a time: a second running loop gets a UsageError.
    """

    events: ClassVar[EventBus] = EventBus()
    """Everything that happens, as frozen dataclasses from ``kimera_tui.process.events``."""

    _instance: ClassVar[TaskManager | None] = None
    _lock: ClassVar[threading.RLock] = threading.RLock()
    _defaults: ClassVar[tuple[Bootstrap | None, Clock, Callable[[], str]]] = (
        None,
        SystemClock(),
        new_id,
    )

    def __new__(cls) -> TaskManager:
        """Return the singleton, created on the first call."""
        with cls._lock:
            if cls._instance is None:
                manager = super().__new__(cls)
                manager._set_up(*cls._defaults)
                cls._instance = manager
            return cls._instance

    @classmethod
    def reset(
        cls,
        bootstrap: Bootstrap | None = None,
        *,
        clock: Clock | None = None,
        new_id: Callable[[], str] = new_id,
    ) -> None:
        """Forget the singleton; the next ``TaskManager()`` starts from the given configuration.

        Args:
            bootstrap: The configuration; None reads ``.env`` and the environment again.
            clock: Source of the events' times; the system clock if None.
            new_id: Returns a new task id.
        """
        with cls._lock:
            if cls._instance is not None:
                cls._instance._engines.close()
            cls._instance = None
            cls._defaults = (bootstrap, clock or SystemClock(), new_id)

    def _set_up(self, bootstrap: Bootstrap | None, clock: Clock, new_id: Callable[[], str]) -> None:
        if bootstrap is None:
            load_env()
            bootstrap = Bootstrap()
        friends = {name: friend.as_mapping() for name, friend in bootstrap.friends.items()}
        self._emitter = Emitter(self.events, clock)
        self._new_id = new_id
        self._waiter = ResultWaiter(self._emitter)
        broker, backend = bootstrap.celery_broker, bootstrap.celery_backend
        self._engines = Engines(
            bootstrap.celery_on, broker, backend, friends, self._emitter, bootstrap.variables
        )
        self._dispatcher = Dispatcher(self._engines, self._emitter, self._waiter)
        self.adoption = Adoption(self._engines, self._dispatcher)
        self.chords = Chords(self._engines)

    @property
    def friends(self) -> dict[str, Any]:
        """Each friend's configuration, a mapping such as ``{"route": ..., "queue": ...}``."""
        return self._engines.friends

    @friends.setter
    def friends(self, friends: dict[str, Any]) -> None:
        self._engines.friends = friends

    @property
    def celery_app(self) -> Any:
        """The Celery app, or None if Celery is off. Can be set, also to a stand-in."""
        return self._engines.app

    @celery_app.setter
    def celery_app(self, app: Any) -> None:
        self._engines.app = app

    def app_of(self, friend: str) -> Any:
        """The Celery app of a friend's broker; imports celery at first, so not on the loop.

        Raises:
            UnknownFriend: no friend of that name is configured.
            ConfigError: the friend's own broker or backend URL is wrong.
        """
        return self._engines.app_of(friend)

    async def send_async(
        self,
        task_name: str,
        friend: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        callback: Callback | None = None,
        func: Callable[[Any], Any] | None = None,
        poll_start: float = POLL_START,
        max_poll: float = MAX_POLL,
        *,
        task_id: str | None = None,
        timeout: float | None = None,
        overtime: Overtime | None = None,
        patience: float | None = None,
        secret: frozenset[str] = frozenset(),
        **options: Any,
    ) -> asyncio.Task[Any]:
        """Publish a task; return the background task that waits for its end.

        Args:
            task_name: Function on the friend, without the friend's route.
            friend: Name of a configured friend.
            args: Positional arguments.
            kwargs: Named arguments.
            callback: Async callable, awaited with the result when the task succeeds.
            func: Plain callable, called with the result after the callback.
            poll_start: Seconds before the first poll of the result.
            max_poll: The longest wait between two polls, in seconds.
            task_id: The task's id, unique among all tasks; None for a new one.
            timeout: Seconds to wait for the end; None for no limit.
            overtime: Called when the timeout is over; returns seconds to wait longer, 0 to stop.
            patience: Seconds of an outage that neither the publish nor the wait counts.
            secret: Names in kwargs that are never shown, in addition to those declared in
                friends.yaml.
            **options: ``queue``, ``countdown``, ``eta``, ``expires``, ``priority``, ... as
                Celery's ``apply_async`` names them.

        Raises:
            CeleryDisabled: Celery is off.
            UnknownFriend: no friend of that name is configured.
            UsageError: an argument is wrong, the id was used before, or another running loop
                uses the TaskManager; nothing was sent.
            BrokerUnavailable: the broker did not take the message.
            PublishUncertain: the connection was lost while publishing.
        """
        pending = await self._dispatcher.dispatch(
            Call(
                task_name, friend, self._id(task_id), args, kwargs, callback, func,
                poll_start, max_poll, timeout, overtime, patience, secret, options,
            ),
        )  # fmt: skip
        return self._dispatcher.wait_in_task(pending)

    async def send_await(
        self,
        task_name: str,
        friend: str,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        timeout: float | None = 30,
        poll_start: float = POLL_START,
        max_poll: float = MAX_POLL,
        *,
        task_id: str | None = None,
        **options: Any,
    ) -> Any:
        """Publish a task, wait for its end and return its result.

        The arguments are those of ``send_async``. After ``timeout`` seconds the remote task
        continues, and its end is still announced.

        Raises:
            TaskFailed: the task raised.
            TaskRevoked: it was revoked.
            ResultUnknown: it ended, and its result cannot be read.
            TimeoutException: it did not end in time.
            KimeraError: what ``send_async`` raises.
        """
        pending = await self._dispatcher.dispatch(
            Call(
                task_name, friend, self._id(task_id), args, kwargs,
                poll_start=poll_start, max_poll=max_poll, timeout=timeout, options=options,
            ),
        )  # fmt: skip
        return await self._dispatcher.wait(pending)

    async def paraSyncTasks(self, taskList: Sequence[TaskParams]) -> list[Any]:
        """Send all at once; return results or exceptions, in the order given.

        Raises:
            UsageError: ``taskList`` is wrong; nothing was sent.
        """
        tasks = self._checked(taskList)
        return await gather_in_order(await start_in_slices(self._perform, tasks))

    async def paraTasks(
        self,
        taskList: Sequence[TaskParams],
        gather_callback: Callable[[list[Any]], Any] | None = None,
    ) -> list[Any]:
        """Send all at once, each with its own callback.

        Returns:
            With an async ``gather_callback``, the list of handles, at once; the callback gets the
            list of results or exceptions when all have ended. Otherwise that list, which a plain
            ``gather_callback`` gets, too. An error of the callback becomes an event.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
        """
        tasks = self._checked(taskList)
        if problem := gather_problem(gather_callback):
            raise refused("gather_callback", problem)
        handles = await start_in_slices(self._perform, tasks)
        if gather_callback is None:
            return await gather_in_order(handles)
        if is_async_callable(gather_callback):
            self._waiter.call_when_ended(handles, gather_callback)
            return list(handles)
        results = await gather_in_order(handles)
        await self._waiter.hand_over(results, gather_callback)
        return results

    async def chainSyncTasks(self, taskList: Sequence[TaskParams]) -> Any:
        """Send one after the other, each fed with the previous result; return the last result.

        Raises:
            UsageError: fewer than two tasks, an unknown friend or a wrong argument; nothing was
                sent.
            KimeraError: a step failed; the message names its place.
        """
        steps = checked_chain(self._checked(taskList), self._engines)
        ids = [self._new_id() for _ in steps]
        result: Any = None
        for position, params in enumerate(steps):
            args, kwargs = feed(params.args, params.kwargs, result)
            try:
                result = await self._perform(params, args, kwargs, ids[position])
            except Exception as error:  # noqa: BLE001 - raised again, with its place
                raise placed(error, position, steps) from None
            Helpers.sysPrint(f"{place(position, steps)} returned", result)
            if position + 1 < len(steps):
                emit_advanced(self._emitter, ids, position, steps)
        return result

    async def chainTasks(self, taskList: Sequence[TaskParams]) -> asyncio.Task[Any]:
        """Like ``chainSyncTasks``, without waiting: callbacks pass each result to the next task.

        Returns:
            The handle of the first task, at once. A failing step ends the chain; its error is an
            event and is raised from that step's handle.

        Raises:
            UsageError: fewer than two tasks, an unknown friend or a wrong argument; nothing was
                sent.
        """
        steps = checked_chain(self._checked(taskList), self._engines)
        ids = [self._new_id() for _ in steps]
        return await self._send_step(steps, ids, 0, None)

    def _get_callback_wrapper(self) -> CallbackBuilder:
        """Return the builder of a chain's callbacks.

        Each callback awaits its step's own callback and sends the next task.
        """

        def build(steps: Sequence[TaskParams], ids: Sequence[str], position: int) -> Callback:
            params = steps[position]

            async def carry_on(result: Any) -> None:
                if params.callback is not None:
                    await params.callback(result)
                if position + 1 < len(steps):
                    emit_advanced(self._emitter, ids, position, steps)
                    await self._send_step(steps, ids, position + 1, result)

            carry_on.__qualname__ = f"chain {place(position, steps)}"
            return carry_on

        return build

    async def revoke(
        self, task_id: str, terminate: bool = False, signal: str = "SIGTERM"
    ) -> Sequence[Receipt]:
        """Revoke a task; with ``terminate``, also end it while it runs.

        Returns:
            The acknowledgements; empty if no worker answered. An acknowledgement does not mean
            that the worker had the task.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            BrokerUnavailable: the broker did not take the revoke.
        """
        return await self._dispatcher.revoke(task_id, terminate, signal)

    async def revoke_all(
        self,
        task_ids: Sequence[str],
        terminate: bool = False,
        signal: str = "SIGTERM",
        *,
        friends: Mapping[str, str] | None = None,
    ) -> Mapping[str, Sequence[Receipt]]:
        """Revoke tasks with one broadcast for each broker (one for every 1,000 of them).

        Waits for the workers' answers about a second, and not for workers known to be silent.

        Args:
            task_ids: Their ids.
            terminate: Also end those that run.
            signal: Name of the signal that ends them.
            friends: The friend of each task that was not sent from here.

        Returns:
            The acknowledgements, by task id.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            BrokerUnavailable: a broker did not take the revoke.
        """
        return await self._dispatcher.revoke_all(task_ids, terminate, signal, friends or {})

    async def stop_all(
        self,
        task_ids: Sequence[str],
        terminate: bool = False,
        signal: str = "SIGTERM",
        *,
        friends: Mapping[str, str] | None = None,
    ) -> StopReport:
        """Revoke tasks in one stroke, and take those that still wait out of their queues.

        What is taken out will never run; the wait for it ends at once, as revoked. Only Redis
        brokers can do that; elsewhere, a worker that heard the revoke drops the message later.

        Args:
            task_ids: Their ids.
            terminate: Also end those that run.
            signal: Name of the signal that ends them.
            friends: The friend of each task that was not sent from here.

        Returns:
            What became of each: taken out, acknowledged by workers, or why not. A broker that is
            unavailable is such a reason and raises nothing.

        Raises:
            UsageError: an argument is wrong; nothing was sent.
            CeleryDisabled: Celery is off.
        """
        return await self._dispatcher.stop_all(task_ids, terminate, signal, friends or {})

    async def revoke_until_acked(
        self,
        friend: str,
        task_ids: Sequence[str],
        *,
        every: float = RETRY_EVERY,
        limit: float = RETRY_LIMIT,
    ) -> str:
        """Revoke tasks until a worker acknowledged, or all have ended, or the limit is reached.

        Workers that start meanwhile are told before they take a message, where the broker allows.

        Args:
            friend: Name of the friend whose tasks these are.
            task_ids: Their ids.
            every: Seconds between two tries.
            limit: Seconds in all.

        Returns:
            How it ended, in a sentence.

        Raises:
            CeleryDisabled: Celery is off.
            UnknownFriend: no friend of that name is configured.
        """
        engine = await self._engines.engine(friend)
        return await revoke_until_acked(
            engine,
            self._emitter,
            task_ids,
            every=every,
            limit=limit,
            may_drop=self._engines.may_drop,
        )

    async def conclude(self, task_id: str, outcome: Outcome) -> None:
        """End the wait for a task in flight with an outcome that was learned elsewhere.

        Does nothing for a task that is not waited for. Raises what ``send_async`` raises for a
        friend that is gone.
        """
        await self._dispatcher.conclude(task_id, outcome)

    def confirm_revokes(self, is_over: IsOver, may_drop: MayDrop | None = None) -> None:
        """Have every stored REVOKED confirmed before it ends a task, and receipts checked.

        Args:
            is_over: Called with a task's id; returns whether it has ended. Called on the loop, and
                again for as long as it returns False, up to every ``max_poll`` seconds.
            may_drop: Called with the id of a task, the name of a worker that acknowledged its
                revoke, and the task's queue if known; returns whether the worker may have the task,
                or serves its queue. The receipts of others are not ``ok``.
        """
        self._engines.is_over = is_over
        if may_drop is not None:
            self._engines.may_drop = may_drop

    def is_over(self, task_id: str) -> bool | None:
        """Whether a revoked task is known to have ended; None if nobody observes tasks."""
        return self._engines.is_over(task_id) if self._engines.observed else None

    async def settle(self) -> None:
        """Return once every ended task is released."""
        await self._engines.settle()

    async def aclose(self) -> None:
        """Release ended tasks and close all connections; the next call opens them again."""
        await self._engines.settle()
        self._engines.close()

    async def _perform(
        self,
        params: TaskParams,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        task_id: str | None = None,
    ) -> Any:
        """Send one TaskParams, wait for its end, return its result."""
        call = call_of(params, self._id(task_id), args, kwargs)
        pending = await self._dispatcher.dispatch(call)
        return await self._dispatcher.wait(pending)

    async def _send_step(
        self, steps: Sequence[TaskParams], ids: Sequence[str], position: int, result: Any
    ) -> asyncio.Task[Any]:
        params = steps[position]
        args, kwargs = feed(params.args, params.kwargs, result)
        try:
            handle = await self.send_async(
                params.task_name,
                params.friend,
                args,
                kwargs,
                self._get_callback_wrapper()(steps, ids, position),
                task_id=ids[position],
                timeout=params.timeout,
            )
        except Exception as error:  # noqa: BLE001 - raised again, with its place
            raise placed(error, position, steps) from None
        place_failure(handle, position, steps)
        return handle

    def _checked(self, tasks: Sequence[TaskParams]) -> list[TaskParams]:
        self._engines.require_celery()
        self._engines.attach()
        return checked_tasks(tasks)

    def _id(self, task_id: str | None) -> str:
        return self._new_id() if task_id is None else task_id
