"""Runs: what was launched, told as a fold of events."""
