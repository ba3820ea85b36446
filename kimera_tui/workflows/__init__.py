"""Workflows: trees of tasks, and the runner that walks them."""
