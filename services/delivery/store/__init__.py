"""Delivery's tables and all of its SQL."""
