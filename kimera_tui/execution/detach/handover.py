"""The handover of a run: the messages that let the workers finish it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.execution.detach.blockers import Blocker
from kimera_tui.execution.detach.canvas import Root
from kimera_tui.process.chords import Chords


class CannotDetach(UsageError):
    """The workers cannot finish a run on their own; nothing was sent.

    Attributes:
        blockers: The reasons.
    """

    def __init__(self, blockers: Sequence[Blocker]) -> None:
        count = f"{len(blockers)} reasons" if len(blockers) != 1 else "1 reason"
        super().__init__(
            f"The workers cannot finish this run on their own, for {count}.",
            hint="\n".join(f"{blocker.sentence}." for blocker in blockers),
        )
        self.blockers = blockers


class Handover:
    """A run, or the rest of one, on its way to the workers.

    Args:
        paths: The steps that this console publishes.
        compile_roots: Returns their messages, by path; raises UsageError if that is impossible.
        chords: Prepares the result backend for the joins.
        fresh: Whether it still has to be recorded before anything is published.
    """

    def __init__(
        self,
        paths: Collection[str],
        compile_roots: Callable[[], Mapping[str, Root]],
        chords: Chords,
        *,
        fresh: bool,
    ) -> None:
        self.paths: Collection[str] = dict.fromkeys(paths).keys()
        self.fresh = fresh
        self._compile = compile_roots
        self._chords = chords
        self._prepared: set[str] = set()
        self._preparing = asyncio.Lock()
        self._unsent = set(paths)
        self._published: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody may be waiting any more; a failed publish is also an event.
        self._published.add_done_callback(lambda done: done.cancelled() or done.exception())

    @cached_property
    def _roots(self) -> Mapping[str, Root]:
        return self._compile()

    async def root(self, path: str) -> Root:
        """A message, ready to publish: the result backend is prepared for its joins.

        Raises:
            UsageError: it cannot be compiled.
            BrokerUnavailable: the result backend cannot be reached.
        """
        root = self._roots[path]
        async with self._preparing:
            new = {name: size for name, size in root.joins.items() if name not in self._prepared}
            if new:
                await self._chords.set_sizes(new)
                self._prepared.update(new)
        return root

    def check_done(self, path: str) -> None:
        """Raise UsageError if a step cannot be marked as done because workers must run it."""
        try:
            root = self._roots.get(path)
        except UsageError:  # what it needs is gone, so assume the worst
            leads_on = path in self.paths
        else:
            leads_on = root is not None and bool(root.options)
        if leads_on:
            raise UsageError(
                "The workers start the following steps only after they have run this one."
                " Wait for it, resend it, or mark it as failed."
            )

    def sent(self, path: str) -> None:
        """Report that a message was published."""
        self._unsent.discard(path)
        if not self._unsent and not self._published.done():
            self._published.set_result(None)

    def not_sent(self, path: str, error: Exception) -> None:
        """Report that a message could not be published, unless it was published before."""
        if path in self._unsent and not self._published.done():
            self._published.set_exception(error)

    async def until_published(self, run: asyncio.Future[Any]) -> None:
        """Return once all messages are published.

        Args:
            run: The run's task, which may end first.

        Raises:
            KimeraError: a message could not be published, or the run could not begin.
        """
        await asyncio.wait({run, self._published}, return_when=asyncio.FIRST_COMPLETED)
        await (self._published if self._published.done() else run)
