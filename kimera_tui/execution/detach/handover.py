"""The hand-over of a run: what the workers go on with, and the messages that bring it to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

from kimera_tui.errors import UsageError
from kimera_tui.execution.detach.blockers import Stop
from kimera_tui.execution.detach.canvas import Root
from kimera_tui.process.chords import Chords


class CannotDetach(UsageError):
    """Something keeps a run from being handed to the workers; nothing was sent.

    Attributes:
        stops: All that does.
    """

    def __init__(self, stops: Sequence[Stop]) -> None:
        count = f"{len(stops)} things keep" if len(stops) != 1 else "1 thing keeps"
        super().__init__(
            f"The workers can't go on with this run alone: {count} it here.",
            hint="\n".join(f"{stop.sentence}." for stop in stops),
        )
        self.stops = stops


class Handover:
    """A run, or the rest of one, on its way to the workers.

    Args:
        paths: The steps that are published from here.
        compile_roots: Makes their messages, by path; raises UsageError where that can't be.
        chords: Tells the result backend what the workers will join.
        fresh: Whether it begins only now, which is to be written down first.
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
        self._told: set[str] = set()
        self._telling = asyncio.Lock()
        self._unsent = set(paths)
        self._published: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Whoever awaits it may be gone: a publish that failed is told as an event.
        self._published.add_done_callback(lambda done: done.cancelled() or done.exception())

    @cached_property
    def _roots(self) -> Mapping[str, Root]:
        return self._compile()

    async def root(self, path: str) -> Root:
        """A message that may be published: whoever joins what it begins has been told.

        Raises:
            UsageError: it can't be made.
            BrokerUnavailable: the result backend can't be told now.
        """
        root = self._roots[path]
        async with self._telling:
            new = {name: size for name, size in root.joins.items() if name not in self._told}
            if new:
                await self._chords.set_sizes(new)
                self._told.update(new)
        return root

    def check_done(self, path: str) -> None:
        """Raise UsageError if a step can't be treated as done, since it is for workers to run."""
        try:
            root = self._roots.get(path)
        except UsageError:  # what it needs is not here any more, so nobody can tell
            leads_on = path in self.paths
        else:
            leads_on = root is not None and bool(root.options)
        if leads_on:
            raise UsageError(
                "The workers have what follows, and begin it only once they have run this step."
                " Wait for it, send it again, or let it fail."
            )

    def sent(self, path: str) -> None:
        """The broker has a message."""
        self._unsent.discard(path)
        if not self._unsent and not self._published.done():
            self._published.set_result(None)

    def not_sent(self, path: str, error: Exception) -> None:
        """A message could not be published, if it wasn't before."""
        if path in self._unsent and not self._published.done():
            self._published.set_exception(error)

    async def until_published(self, run: asyncio.Future[Any]) -> None:
        """Return once the broker has all messages.

        Args:
            run: The run, which may end before.

        Raises:
            KimeraError: one of them could not be published, or the run could not begin.
        """
        await asyncio.wait({run, self._published}, return_when=asyncio.FIRST_COMPLETED)
        await (self._published if self._published.done() else run)
