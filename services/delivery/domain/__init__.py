"""Delivery's rules: who receives what, how messages are signed, when they are retried, and where they may go."""
