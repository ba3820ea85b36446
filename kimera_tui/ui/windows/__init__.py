"""Windows over a mode that belong to no mode alone."""
