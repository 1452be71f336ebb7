"""Benchmarks: each figure beside its limit or peer, taken in turn in one run on one machine."""
