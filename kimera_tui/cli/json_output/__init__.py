"""The objects that ``--json`` prints."""
