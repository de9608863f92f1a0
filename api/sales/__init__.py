"""What several families say and do about seats, reservations and tickets: shapes, seat maps, receipts, sales.

Families import this room and never each other.
"""
