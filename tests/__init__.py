"""The tests: one folder per package, and suites that go through the public door."""
