"""Webhooks: what integrators get of bookings, cancellations and changes of screenings (docs/webhooks.md)."""
