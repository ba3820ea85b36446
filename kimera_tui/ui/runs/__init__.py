"""Modes 3 and 4: runs, as they happen and in the past."""
