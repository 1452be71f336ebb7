"""The endpoints: leads, activities, sources in their own formats, and what an operator asks of the spool."""
