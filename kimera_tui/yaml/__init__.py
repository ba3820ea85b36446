"""One YAML 1.2 for every file that people write: read with lines and caps, written to be read."""
