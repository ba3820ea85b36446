"""One message on its way to a Redis broker, and what its sender is told when it doesn't arrive."""

from __future__ import annotations

import asyncio
import time

from kimera_tui.errors import BrokerUnavailable, PublishUncertain
from kimera_tui.process.engine import Message
from kimera_tui.process.redis.capture import Commands


class Outgoing:
    """A message that its sender waits for.

    Args:
        message: The message.
        done: Gets None once the broker acknowledged it, or what kept it from that.
    """

    __slots__ = ("_told", "commands", "done", "lost", "message", "offers", "server", "since")

    def __init__(self, message: Message, done: asyncio.Future[None]) -> None:
        self.message = message
        self.done = done
        self.commands: Commands = ()
        self.since = time.monotonic()
        self.offers = 0
        self.server = b""
        """The run id of the server that got the first offer."""
        self.lost: BaseException | None = None
        """Why an earlier offer's reply got lost."""
        self._told = ""

    @property
    def in_doubt(self) -> bool:
        """Whether it may be queued: an offer was made, and its reply got lost."""
        return self.lost is not None

    def waits_for(self, away: BrokerUnavailable) -> str:
        """What it waits for, in a sentence; empty where that was said before."""
        if self._told == away.message:
            return ""
        self._told = away.message
        what = (
            "It may be queued; Kimera asks again" if self.in_doubt else "Not sent yet: it is sent"
        )
        return f"{what} when the broker answers. {away.message}"

    def give_up(self, away: BrokerUnavailable) -> None:
        """Tell the sender that the broker can't be used."""
        self.refuse(uncertain(away.message) if self.in_doubt else away)

    def close(self) -> None:
        """Tell the sender that nobody goes on trying."""
        if self.offers:
            self.refuse(uncertain("the engine was closed"))
        else:
            self.refuse(BrokerUnavailable("The engine was closed: nothing was sent."))

    def refuse(self, error: BrokerUnavailable) -> None:
        """Have the sender get an error of its own, unless it has its answer."""
        if not self.done.done():
            self.done.set_exception(type(error)(error.message, hint=error.hint))


def uncertain(why: str) -> PublishUncertain:
    """Nobody knows what became of a publish."""
    return PublishUncertain(
        f"The connection to the broker was lost while publishing ({why.rstrip('.')}):"
        " the task may or may not be queued."
    )
