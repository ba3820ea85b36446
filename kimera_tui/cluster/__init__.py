"""Observes the broker and its workers."""
