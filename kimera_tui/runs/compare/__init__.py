"""Two runs compared, step by step and value by value."""
