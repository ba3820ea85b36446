"""The search line of runs, parsed to a tree and turned into SQL."""
