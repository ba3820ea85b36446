"""Mode 1: friends and the form that sends a task."""
