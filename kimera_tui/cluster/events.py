"""Events about the broker and its workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kimera_tui.cluster.view import ClusterView
from kimera_tui.process.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerChanged(Event):
    """The console's broker entered another phase."""

    phase: Literal["starting", "ready", "failed"]
    label: str
    """The broker, without secrets."""
    message: str = ""
    """What is wrong, if it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSeen(Event):
    """The workers answered an inspection."""

    view: ClusterView
