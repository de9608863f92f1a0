"""Bugs that are planted in copies of the code, to see whether their finders find them."""
