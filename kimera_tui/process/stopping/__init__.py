"""Stops tasks: revokes, by one broadcast for many tasks, and what workers answer."""
