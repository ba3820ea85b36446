"""Detached runs: handed to the workers as a Celery canvas."""
