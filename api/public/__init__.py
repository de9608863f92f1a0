"""The public door: tickets by quantity, for guests, as the ticket guide describes it."""
