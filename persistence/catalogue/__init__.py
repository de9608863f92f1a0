"""Repositories of the catalogue: one module per resource, based on the shared `Table` and `Rows` classes."""
