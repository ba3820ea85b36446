"""Plan, execute, resume, replay, detach and cancel runs."""
