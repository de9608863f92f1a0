"""The cinema catalogue: one module per resource, built on the shared operations in `collection`."""
