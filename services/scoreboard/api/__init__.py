"""The JSON routes: the equation of all inquiries, the timeline of a lead, and gaps in the log."""
