"""The program around a command: its event loop, its log file and its shutdown."""
