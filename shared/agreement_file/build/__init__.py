"""Turns what was read into an `Agreement`, block by block."""
