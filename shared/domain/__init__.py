"""Values and rules that two or more services need; pure, no I/O."""
