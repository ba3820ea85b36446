"""The engine for every other broker and result backend: public Celery calls on threads."""
