"""What sharing one asyncio loop with a screen needs: clock, deadlines, delivery in portions."""
