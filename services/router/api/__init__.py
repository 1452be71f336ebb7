"""The routes: leads and reps, the proofs of verdicts, commands, simulations and pilots."""
