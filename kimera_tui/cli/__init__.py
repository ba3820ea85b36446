"""The command line, the only place where the real parts are put together."""
