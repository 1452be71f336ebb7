"""How the scoreboard counts, and its wording: pure rules."""
