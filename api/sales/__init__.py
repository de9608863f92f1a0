"""What several product families share: shapes of reservations and tickets, seat maps, receipts, selling.

Families import this package and never each other.
"""
