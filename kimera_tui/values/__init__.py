"""Single values as people write them: durations, patterns, placeholders."""
