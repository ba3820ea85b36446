"""The two themes, and how every state looks: glyph, word and colour, never colour alone."""

from __future__ import annotations

from textual.theme import Theme

from kimera_tui.runs.status import Status

GLYPHS: dict[Status, str] = {
    Status.WAITING: "·",
    Status.SENDING: "↗",
    Status.QUEUED: "◷",
    Status.RESERVED: "◔",
    Status.RUNNING: "▶",
    Status.PROGRESS: "▶",
    Status.LOST: "⌀",
    Status.RETRYING: "↻",
    Status.DONE: "✓",
    Status.FAILED: "✗",
    Status.REVOKED: "⊘",
    Status.TIMED_OUT: "⧖",
    Status.FINISHED_LATE: "⧗",
    Status.RESULT_UNKNOWN: "◌",
    Status.SKIPPED: "↷",
    Status.UNREACHABLE: "⇢",
    Status.UNCERTAIN: "?",
    Status.INTERRUPTED: "‖",
    Status.HANDED_OVER: "»",
    Status.NOT_NEEDED: "·",
}

STYLES: dict[Status, str] = {
    Status.WAITING: "dim",
    Status.SENDING: "active",
    Status.QUEUED: "queued",
    Status.RESERVED: "queued",
    Status.RUNNING: "active",
    Status.PROGRESS: "active",
    Status.LOST: "bad",
    Status.RETRYING: "warning",
    Status.DONE: "good",
    Status.FAILED: "bad",
    Status.REVOKED: "bad",
    Status.TIMED_OUT: "warning",
    Status.FINISHED_LATE: "warning",
    Status.RESULT_UNKNOWN: "warning",
    Status.SKIPPED: "dim",
    Status.UNREACHABLE: "dim",
    Status.UNCERTAIN: "warning",
    Status.INTERRUPTED: "warning",
    Status.HANDED_OVER: "active",
    Status.NOT_NEEDED: "dim",
}
"""Names of the line views' component classes."""

DARK = Theme(
    name="kimera-dark",
    primary="#7aa2f7",
    secondary="#bb9af7",
    accent="#7dcfff",
    foreground="#c8d0e0",
    background="#12151c",
    surface="#191d26",
    panel="#222733",
    success="#9ece6a",
    warning="#e0af68",
    error="#f7768e",
    dark=True,
    variables={"footer-key-foreground": "#7dcfff", "block-cursor-text-style": "none"},
)

LIGHT = Theme(
    name="kimera-light",
    primary="#2e5cb8",
    secondary="#7847bd",
    accent="#00697f",
    foreground="#1f2430",
    background="#f4f5f8",
    surface="#ffffff",
    panel="#e4e7ee",
    success="#33691e",
    warning="#8a5300",
    error="#b3193a",
    dark=False,
    variables={"footer-key-foreground": "#00697f", "block-cursor-text-style": "none"},
)
