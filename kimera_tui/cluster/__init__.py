"""What the workers and the broker tell about themselves."""
