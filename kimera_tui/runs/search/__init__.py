"""The search line of past runs, parsed and made SQL."""
