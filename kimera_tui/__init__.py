"""Kimera TUI: the operations console for Celery that lives in a terminal."""
