"""Runs: their plans, events and states, and the journal that keeps them."""
