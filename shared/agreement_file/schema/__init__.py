"""Which keys an agreement may have, and what each may hold."""
