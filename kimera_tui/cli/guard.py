"""What may be done at all: read-only consoles and read-only friends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kimera_tui.config.friends import Friend
from kimera_tui.errors import UsageError


class Guard:
    """Refuses acts, in a sentence.

    Args:
        read_only: Whether nothing may be sent or revoked here.
        friends: The friends, some of which may be read-only by themselves.
    """

    def __init__(self, read_only: bool, friends: Mapping[str, Friend]) -> None:
        self.read_only = read_only
        self._friends = friends

    def may_act(self) -> None:
        """Raise UsageError in a read-only console."""
        if self.read_only:
            raise UsageError("Read-only: nothing is sent, revoked or cancelled here.")

    def may_send(self, names: Iterable[str]) -> None:
        """Raise UsageError unless tasks may be sent to all these friends."""
        self.may_act()
        for name in sorted(names):
            friend = self._friends.get(name)
            if friend is not None and friend.read_only:
                raise UsageError(f"Friend `{name}` is read-only in friends.yaml: nothing was sent.")
