"""Mode 1: browse friends and send single tasks."""
