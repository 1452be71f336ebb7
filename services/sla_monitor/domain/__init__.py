"""The monitor's rules: pure functions that return decisions with their reasons."""
