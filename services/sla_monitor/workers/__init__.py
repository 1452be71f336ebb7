"""Tasks that run until the end: the timer."""
