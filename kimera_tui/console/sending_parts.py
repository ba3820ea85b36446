"""Runs of calls, replays, and runs that go on: whatever they send passes one gate."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Mapping, Sequence
from typing import Any

from kimera_tui.config.friends import Friend
from kimera_tui.console.guard import Guard, left_to_send
from kimera_tui.documents.calls import Workflow, friends_of
from kimera_tui.execution.cancel import Cancelled, cancel_run
from kimera_tui.execution.replay import ReplayPlan, Wish, fates_before_replay, planned_replay
from kimera_tui.execution.run_inputs import Given
from kimera_tui.execution.runner import NOTHING_GIVEN, Decision, Runner
from kimera_tui.process import TaskManager
from kimera_tui.process.loop.clock import Clock, new_id
from kimera_tui.runs.journal.journal import Journal
from kimera_tui.runs.recovery import Past, Recovery, Resumed, recover


class SendingParts:
    """Starts runs and goes on with them, as far as that may be done here."""

    friends: Mapping[str, Friend]
    clock: Clock
    journal: Journal
    _guard: Guard
    _runner: Runner | None

    async def launch(self, workflow: Workflow) -> str:
        """Start a run as soon as the broker is up; returns its id.

        Raises:
            UsageError: that may not be sent here.
            KimeraError: broker or result backend can't be used; nothing was sent.
        """
        self._guard.may_send(friends_of(workflow.root))
        return (await self.ready_runner()).start(workflow)

    async def replay_plan(self, run_id: str, wish: Wish) -> ReplayPlan:
        """What a replay would run and reuse; nothing is sent.

        Raises:
            UsageError: there is no such run or step, or an input is wrong.
        """
        friends = {name: friend.as_mapping() for name, friend in self.friends.items()}
        past = await self.events_of(run_id)
        return await asyncio.to_thread(planned_replay, past, wish, new_id, friends)

    async def replay(self, run_id: str, wish: Wish) -> str:
        """Start a new run from a past one; returns its id.

        Steps of which no end is known are looked for before they are sent again.

        Raises:
            StepsInDoubt: one of them may run twice, and ``wish`` doesn't say that this is meant.
            UsageError: the plan's, or that may not be sent here; nothing was sent.
            KimeraError: broker or result backend can't be used; nothing was sent.
        """
        self._guard.may_send((await self.replay_plan(run_id, wish)).friends)
        runner, past = await self.ready_runner(), await self.events_of(run_id)
        fates = await fates_before_replay(past, wish, TaskManager(), self.clock.now())
        return await runner.replay(run_id, wish, fates)

    async def recover(self) -> Recovery:
        """Go on with the runs that a console left, once the broker is up; says what became."""
        if self._guard.read_only:
            return Recovery()
        await self.runner()
        return await recover(self.journal, self.go_on, self._profile)

    async def resume(self, run_id: str, given: Given) -> None:
        """Go on with a run that its console left; raises as ``go_on`` does."""
        await self.go_on(run_id, given)

    async def go_on(self, run_id: str, given: Given = NOTHING_GIVEN) -> Resumed:
        """Go on with a run that its console left; returns what is watched again.

        Raises:
            RunTaken: it has ended, or another console is at it.
            UsageError: that may not be sent here, or it was started with another broker.
            KimeraError: broker or journal can't be used.
        """
        await self.may_go_on(run_id)
        return await (await self.runner()).resume(run_id, given)

    async def decide(self, run_id: str, path: str, what: Decision, result: Any) -> None:
        """Say what became of an uncertain step; UsageError where nobody asks for it."""
        await self.may_go_on(run_id)
        await (await self.runner()).decide(run_id, path, what, getpass.getuser(), result)

    async def cancel(self, run_id: str) -> Cancelled:
        """Send nothing more of a run, whoever is at it, and revoke what is in flight of it."""
        self._guard.may_act()
        return await cancel_run(self.journal, run_id, self._runner, self._take_over)

    async def _take_over(self, run_id: str) -> None:
        await self.start()
        await self.ready_runner()
        await self.go_on(run_id)

    async def may_go_on(self, run_id: str) -> None:
        """Raise UsageError unless all that is left of a run may be sent."""
        self._guard.may_act()
        if self._guard.closes_friends:  # else there is nothing to look up in the journal
            past = await asyncio.to_thread(Past.of, await self.events_of(run_id))
            self._guard.may_send(left_to_send(past.run))

    # What the other parts give

    @property
    def _profile(self) -> str:
        """Which broker is in use, without its password."""
        raise NotImplementedError

    async def start(self) -> None:
        """Bring the broker up, unless that was begun before."""
        raise NotImplementedError

    async def runner(self) -> Runner:
        """The runner, once the broker is up; raises what kept it from coming up."""
        raise NotImplementedError

    async def ready_runner(self) -> Runner:
        """The runner, once something can be sent; raises what keeps it from that."""
        raise NotImplementedError

    async def events_of(self, run_id: str) -> Sequence[object]:
        """Everything that happened to a run, in its order, for a fold."""
        raise NotImplementedError
