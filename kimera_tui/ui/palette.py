"""The command palette: the registry's actions that can be done here."""

from __future__ import annotations

import re
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from kimera_tui.ui.actions import SCOPES, Action, actions_of
from kimera_tui.ui.text import content


class ActionCommands(Provider):
    """Finds actions of the current screen and of the app by their words."""

    def _offered(self) -> list[Action]:
        scopes = getattr(self.screen, "SCOPES", ())
        return [action for scope in (*scopes, "app") for action in actions_of(scope)]

    async def discover(self) -> Hits:
        """All actions, before anything is typed."""
        for action in self._offered():
            yield DiscoveryHit(content(_title(action)), partial(self._do, action), help=action.help)

    async def search(self, query: str) -> Hits:
        """Actions with words that begin like those typed."""
        for action in self._offered():
            if score := matching(query, action):
                yield Hit(score, self._shown(query, action), partial(self._do, action),
                          help=action.help)  # fmt: skip

    def _shown(self, query: str, action: Action) -> Content:
        shown = content(_title(action))
        for word in query.split():
            if self.match_style is not None and (found := _found(word, shown.plain)):
                shown = shown.stylize(self.match_style, *found.span())
        return shown

    async def _do(self, action: Action) -> None:
        target = self.app if action.scope == "app" else self.screen
        await self.app.run_action(action.from_palette, target)


def matching(query: str, action: Action) -> float:
    """How well an action matches a query, up to 1; 0 if a word of the query is nowhere in it.

    Each word typed must be the beginning of a word of the action.
    """
    scores = [_score(word, action) for word in query.split()]
    return sum(scores) / len(scores) if scores and all(scores) else 0.0


def _score(word: str, action: Action) -> float:
    own = f"{action.title} ({action.key})"
    for text, weight in ((own, 1.0), (SCOPES[action.scope], 0.5), (action.help, 0.25)):
        if found := _found(word, text):
            after = text[found.end() : found.end() + 1]
            return weight if not after.isalnum() else weight * 0.8
    return 0.0


def _found(word: str, text: str) -> re.Match[str] | None:
    """Where a word begins like this."""
    return re.search(rf"(?<![^\W_]){re.escape(word)}", text, re.IGNORECASE)


def _title(action: Action) -> str:
    return f"{SCOPES[action.scope]}: {action.title} ({action.key})"
