"""Tasks that run until the end: the sender of webhooks."""
