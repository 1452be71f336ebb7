"""Rules that only the router owns: qualification, assignment and the proof of both."""
