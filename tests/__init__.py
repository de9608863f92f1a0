"""The tests: one folder per package, and suites that only use the public API."""
