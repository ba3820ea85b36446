"""A private server and demo workers for who has no broker yet; nothing heavy is loaded here."""
