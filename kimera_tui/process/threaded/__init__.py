"""The engine for all other brokers and result backends: public Celery calls on threads."""
