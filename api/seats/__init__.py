"""Seats of a screening: reservations, tickets, and the WebSocket with live updates."""
