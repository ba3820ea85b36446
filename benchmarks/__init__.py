"""What the engine costs, measured: `python -m benchmarks`."""
