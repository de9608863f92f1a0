"""Deterministic simulation of a cluster: one seed, one history."""
