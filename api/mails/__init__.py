"""Mails about bookings, in the buyer's language: what happened, what it means for the money, what to do."""
