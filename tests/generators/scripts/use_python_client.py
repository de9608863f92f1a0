"""Buys seats with the client of openapi-python-client. Arguments: base URL, e-mail address, password."""

import json
import pkgutil
import sys
from importlib import import_module

import frontrow_client
from frontrow_client import AuthenticatedClient, Client
from frontrow_client.api.authentication import log_in, register
from frontrow_client.api.seat_reservations import get_availability, reserve_seats
from frontrow_client.api.tickets import book_tickets
from frontrow_client.models import Booking, PasswordLogin, Registration, SeatSelection

for module in pkgutil.walk_packages(frontrow_client.__path__, "frontrow_client."):
    import_module(module.name)

base_url, email, password = sys.argv[1:]
with Client(base_url=base_url) as stranger:
    register.sync(client=stranger, body=Registration(email=email, password=password))
    tokens = log_in.sync(client=stranger, body=PasswordLogin(email=email, password=password))
    seats = get_availability.sync(123, client=stranger)
free = [entry.seat.id for entry in seats if entry.status == "available"][:2]
with AuthenticatedClient(base_url=base_url, token=tokens.access_token) as user:
    held = reserve_seats.sync(client=user, body=SeatSelection(screening_id=123, seat_ids=free))
    seat_ids = [reservation.seat_id for reservation in held.reservations]
    tickets = book_tickets.sync(client=user, body=Booking(screening_id=123, seat_ids=seat_ids))
print(json.dumps([[ticket.seat_id, ticket.status] for ticket in tickets]))
