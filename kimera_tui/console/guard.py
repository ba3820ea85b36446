"""What may be sent: read-only consoles, read-only friends and dangerous ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kimera_tui.config.friends import Friend
from kimera_tui.errors import UsageError
from kimera_tui.runs.index import RunState
from kimera_tui.runs.status import Status

_SETTLED = (Status.DONE, Status.NOT_NEEDED, Status.SKIPPED, Status.UNREACHABLE)


class Guard:
    """Refuses actions, with a sentence that says why.

    Args:
        read_only: Whether nothing may be sent or revoked here.
        friends: The configured friends, any of which may be read-only.
    """

    def __init__(self, read_only: bool, friends: Mapping[str, Friend]) -> None:
        self.read_only = read_only
        self._friends = friends

    @property
    def closes_friends(self) -> bool:
        """Whether any friend is read-only."""
        return any(friend.read_only for friend in self._friends.values())

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


def refuse_danger(friends: Mapping[str, Friend], names: Iterable[str], *, yes: bool) -> None:
    """Raise UsageError if one of these friends is dangerous, unless the operator confirmed that.

    Args:
        friends: The configured friends.
        names: The friends that a run may send to.
        yes: Whether the operator confirmed it.
    """
    danger = sorted(name for name in names if name in friends and friends[name].danger)
    if danger and not yes:
        listed = ", ".join(f"`{name}`" for name in danger)
        raise UsageError(
            f"Marked as dangerous: {listed}. Nothing was sent.", hint="Pass --yes to send anyway."
        )


def friends_left(run: RunState) -> set[str]:
    """The friends that a resumed run may send to; a cancelled run only sends its ``finally``."""
    parts = run.plan.finals if run.cancelled else (run.plan,)
    return {
        task.friend
        for part in parts
        for path, task in part.leaves()
        if run.steps[path].status not in _SETTLED
    }
