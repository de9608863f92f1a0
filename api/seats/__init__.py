"""Seats of a screening: choosing them, buying them, and watching them change."""
