"""The rules of the monitor: pure functions from what is known to what follows, with the reason."""
