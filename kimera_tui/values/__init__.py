"""Single values as people write them: specs, durations, patterns, JSON, placeholders."""
