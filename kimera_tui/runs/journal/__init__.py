"""The journal: every run with all its events, in one SQLite file."""
