"""The screen: Textual, and nothing of Celery."""
