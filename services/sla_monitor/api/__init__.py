"""The routes: promises as they run, escalations, and what only an operator can decide."""
