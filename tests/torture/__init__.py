"""Histories of real clusters under faults, and a checker that knows nothing of the code that made them."""
