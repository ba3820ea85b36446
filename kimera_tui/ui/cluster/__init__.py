"""Mode 5: the workers."""
