"""Measurements: what Frontrow costs, printed by commands that start all they need."""
