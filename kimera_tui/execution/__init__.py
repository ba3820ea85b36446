"""Runs of workflows: planned, executed, resumed, replayed, cancelled."""
