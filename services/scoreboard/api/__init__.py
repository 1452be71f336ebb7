"""The JSON routes: the equation of all inquiries, the timeline of a lead, promises in pilots, and gaps in the log."""
