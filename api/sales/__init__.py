"""Code shared by the product families: schemas of reservations and tickets, seat maps, receipts, selling.

Families import this package, never each other.
"""
