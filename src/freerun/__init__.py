"""Train generators of discrete sequences, and let them run free."""
