"""Mode 2: the composer."""
