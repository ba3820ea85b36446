"""A private server and demo worker for users without a broker."""
