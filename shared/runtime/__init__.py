"""What runs a service: consuming, relaying, serving, starting and draining; no business in here."""
