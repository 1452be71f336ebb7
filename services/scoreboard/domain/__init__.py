"""How the scoreboard counts and what it says: pure rules."""
