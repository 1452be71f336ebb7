"""Baton's services: one folder each, all with the same packages."""
