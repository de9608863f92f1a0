"""Fuzzing of parsers that read strangers' bytes, guided by coverage; docs/testing.md, "Fuzzing"."""
