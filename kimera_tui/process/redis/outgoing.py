"""One message on its way to a Redis broker, and the error its sender gets if it fails."""

from __future__ import annotations

import asyncio
import time

from kimera_tui.errors import BrokerUnavailable, PublishUncertain
from kimera_tui.process.engine import Message
from kimera_tui.process.redis.capture import Commands


class Outgoing:
    """A message whose sender is waiting.

    Args:
        message: The message.
        done: Resolved when the broker acknowledged the message; gets the error if it failed.
    """

    __slots__ = ("_notice", "attempts", "commands", "done", "lost", "message", "server", "since")

    def __init__(self, message: Message, done: asyncio.Future[None]) -> None:
        self.message = message
        self.done = done
        self.commands: Commands = ()
        self.since = time.monotonic()
        self.attempts = 0
        self.server = b""
        """Run id of the server that got the first attempt."""
        self.lost: BaseException | None = None
        """Why the reply to an earlier attempt was lost."""
        self._notice = ""

    @property
    def in_doubt(self) -> bool:
        """Whether it may be queued: an attempt was made, and its reply was lost."""
        return self.lost is not None

    def waiting_notice(self, error: BrokerUnavailable) -> str:
        """A sentence that says what it waits for; empty if unchanged since the last call."""
        if self._notice == error.message:
            return ""
        self._notice = error.message
        what = (
            "It may be queued; Kimera checks" if self.in_doubt else "Not sent yet: Kimera sends it"
        )
        return f"{what} when the broker answers. {error.message}"

    def give_up(self, error: BrokerUnavailable) -> None:
        """Fail: the broker is not available."""
        self.refuse(uncertain(error.message) if self.in_doubt else error)

    def close(self) -> None:
        """Fail: the engine closes."""
        if self.attempts:
            self.refuse(uncertain("the engine was closed"))
        else:
            self.refuse(BrokerUnavailable("The engine was closed; nothing was sent."))

    def refuse(self, error: BrokerUnavailable) -> None:
        """Give the sender its own copy of an error, unless it has its answer."""
        if not self.done.done():
            self.done.set_exception(type(error)(error.message, hint=error.hint))


def uncertain(why: str) -> PublishUncertain:
    """The error for a publish whose outcome is unknown."""
    return PublishUncertain(
        f"The connection to the broker was lost while publishing ({why.rstrip('.')}):"
        " the task may or may not be queued."
    )
