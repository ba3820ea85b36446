"""Tools for sharing one asyncio loop with a screen: clock, deadlines, delivery in portions."""
