"""The REST layer: declares operations, compiles them to routes, and handles their requests."""
