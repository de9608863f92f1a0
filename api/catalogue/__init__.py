"""The cinema around the seats: one module per resource, on the operations that they all share."""
