"""Benchmarks: each figure next to its limit or peer, taken in turn in one run on one machine."""
