"""The engine for Redis brokers and result backends: batched, pushed, safe to repeat."""
