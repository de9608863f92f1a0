"""The public API of the ticket guide: events, ticket types, and reservations by quantity, open to guests."""
