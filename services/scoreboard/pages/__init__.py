"""What people look at: the scoreboard and the page of one lead, rendered here and kept live in the browser."""
