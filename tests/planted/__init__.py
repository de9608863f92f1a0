"""Bugs that are planted in copies of the code, to see whether what is meant to find them does."""
