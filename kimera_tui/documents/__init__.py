"""Workflow documents: the format, its checks, edits, templates and files."""
