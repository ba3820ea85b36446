"""The command palette: the registry's actions that can be done here."""

from __future__ import annotations

from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from kimera_tui.ui.actions import SCOPES, Action, actions_of
from kimera_tui.ui.text import content


class ActionCommands(Provider):
    """Finds actions of the current screen and of the app by their words."""

    def _offered(self) -> list[Action]:
        scopes = getattr(self.screen, "SCOPES", ())
        return [action for scope in (*scopes, "app") for action in actions_of(scope)]

    async def discover(self) -> Hits:
        """Everything there is to do, before anything is typed."""
        for action in self._offered():
            yield DiscoveryHit(
                content(self._title(action)), partial(self._do, action), help=action.help
            )

    async def search(self, query: str) -> Hits:
        """What matches the words typed."""
        matcher = self.matcher(query)
        for action in self._offered():
            title = self._title(action)
            if (score := matcher.match(title)) > 0:
                yield Hit(
                    score, matcher.highlight(title), partial(self._do, action), help=action.help
                )

    @staticmethod
    def _title(action: Action) -> str:
        return f"{SCOPES[action.scope]}: {action.title} ({action.key})"

    async def _do(self, action: Action) -> None:
        target = self.app if action.scope == "app" else self.screen
        await self.app.run_action(action.action, target)
