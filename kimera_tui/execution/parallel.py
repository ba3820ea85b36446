"""The branches of a para, all at once: what they come to, and what gives the others up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kimera_tui.errors import RunTaken
from kimera_tui.execution.completion import GIVEN_UP, RunStopped
from kimera_tui.execution.revoking import revoke_all
from kimera_tui.execution.skip import Skipper
from kimera_tui.execution.step_executor import Stepper
from kimera_tui.process.loop.gather import SLICE
from kimera_tui.runs.plan import Node

Walked = Callable[[Node], Awaitable[Any]]
"""Runs one branch to its end."""


@dataclass(slots=True)
class Branches:
    """Those of one para."""

    para: Node
    steps: Stepper
    skips: Skipper
    _failures: list[Exception] = field(default_factory=list)
    """What branches ended with, the earliest first."""

    async def go(self, walked: Walked) -> Any:
        """Run them; returns their results, or raises what the para ends with."""
        rules = self.para.rules
        most = rules.max_parallel
        places = asyncio.Semaphore(most) if most is not None else contextlib.nullcontext()
        tasks: list[asyncio.Future[Any]] = []
        try:
            for count, child in enumerate(self.para.children, 1):
                tasks.append(asyncio.ensure_future(self._branch(child, walked, places)))
                if count % SLICE == 0:
                    await asyncio.sleep(0)
            if rules.fail_fast:
                await self._until_one_fails(tasks)
            results = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for task in tasks:
                task.cancel()
        bad = [each for each in results if isinstance(each, BaseException)]
        if bad:
            raise _first(self._failures[:1] + bad if rules.fail_fast else bad)
        if rules.gather == "dict":
            names = (child.id for child in self.para.children)
            return dict(zip(names, results, strict=True))
        return results

    async def _branch(
        self,
        child: Node,
        walked: Walked,
        places: contextlib.AbstractAsyncContextManager[Any],
    ) -> Any:
        async with places:
            try:
                return await walked(child)
            except (RunTaken, RunStopped):
                raise
            except Exception as error:
                # Here, where its place is not free yet for a branch that waits.
                if self.para.rules.fail_fast and not self._failures:
                    self.steps.given_up.update(_paths(self.para.children))
                self._failures.append(error)
                raise

    async def _until_one_fails(self, tasks: Sequence[asyncio.Future[Any]]) -> None:
        """Return when all have ended, or when one has failed and the others are given up."""
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        if not self._failures:
            return
        paths = _paths(self.para.children)
        ids = [each for each, path in self.steps.in_flight.items() if path in paths]
        await revoke_all(self.steps.hands.manager, ids)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for child in self.para.children:
            self.skips.leave_out(child, GIVEN_UP, unreachable=True)


def _paths(nodes: Iterable[Node]) -> set[str]:
    return {path for node in nodes for path, _ in node.leaves()}


def _first(errors: Sequence[BaseException]) -> BaseException:
    """The error that counts: that another console has the run goes before all others."""
    kinds = (RunTaken, Exception, BaseException)
    return next(each for kind in kinds for each in errors if isinstance(each, kind))
