"""Conditions, and the facts that an agreement declares for them."""
