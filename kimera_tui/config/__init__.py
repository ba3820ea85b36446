"""What the environment, .env and friends.yaml say."""
