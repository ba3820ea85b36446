"""Detach runs: hand them over to the workers as a Celery canvas."""
