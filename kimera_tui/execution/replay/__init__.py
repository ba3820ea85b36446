"""Replays: which steps of a past run are sent again, and which are reused."""
