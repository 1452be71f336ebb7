"""Builds an `Agreement` from parsed blocks."""
