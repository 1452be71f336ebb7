"""Hostile input: for every place where Baton reads what someone else wrote."""
