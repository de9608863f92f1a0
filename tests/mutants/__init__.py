"""Changes single places of the code, and finds out whether the tests of that room notice.

See docs/testing.md, "Mutants".
"""
