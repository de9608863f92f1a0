"""The ticket guide's example: a server with an event that sells two types of tickets."""

from tests.box_office import Guest, make_event, make_type
from tests.contracts.shapes import iso_utc, text
from tests.house import House

SESSION, OTHER_SESSION = "guest-of-the-guide-1", "guest-of-the-guide-2"

NO_RESERVATION = "1-9999999"

EVENT = {"id": text, "title": "Night of the Brass Bands", "venue": "Harbour Hall", "startDate": iso_utc}
LEFT = {"total": 20, "sold": 0, "reserved": 0, "available": 20}
"""Availability of the standing tickets before any sale."""


class Fair:
    """A server with an event that sells twenty standing and ten seated tickets."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.event = self.standing = self.seated = ""

    async def open(self) -> None:
        await self.house.open()
        self.event = await make_event(self.house)
        self.standing = await make_type(self.house, self.event)
        self.seated = await make_type(self.house, self.event, "Seated", price=40, capacity=10)

    @property
    def guest(self) -> Guest:
        """A session without a token."""
        return Guest(self.house, SESSION)

    @property
    def other(self) -> Guest:
        """A second session."""
        return Guest(self.house, OTHER_SESSION)

    @property
    def buyer(self) -> Guest:
        """The session, with a user's token."""
        return Guest(self.house, SESSION, self.house.token(7))

    @property
    def user(self) -> Guest:
        """A user without a session."""
        return Guest(self.house, None, self.house.token(7))
