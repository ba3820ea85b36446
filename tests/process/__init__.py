"""The engine's contract, sentence by sentence."""
