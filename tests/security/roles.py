"""The roles that call every operation, and how each is refused."""

import time
from typing import NamedTuple

import jwt

from tests.api.caller import Caller
from tests.catalogue.members import AUTH, member
from tests.catalogue.world import World
from tests.security.access import Access
from tests.signing_keys import STRONG_SECRET

Refusal = tuple[int, str]
"""Status and code."""


class Role(NamedTuple):
    """A kind of caller.

    Attributes:
        kind: "nobody", "user", "admin", the name of a service, "cron", or the code with which its token is
            refused everywhere.
    """

    name: str
    kind: str
    caller: Caller

    def refusal(self, access: Access) -> Refusal | None:
        """Return how an operation refuses the role; None if it does not."""
        if access is Access.ANYBODY:
            return None
        if access is Access.CRON:
            if self.kind == "cron":
                return None
            return (401, "not_authenticated" if self.kind == "nobody" else "token_invalid")
        match self.kind:
            case "nobody":
                return None if access is Access.GUESTS else (401, "not_authenticated")
            case "user":
                return (403, "admin_required") if access in (Access.ADMINS, Access.DOOR) else None
            case "admin":
                return None
            case "payments":
                return None if access is Access.BUYERS else (403, "service_not_allowed")
            case "check-in":
                return None if access is Access.DOOR else (403, "service_not_allowed")
            case "cron":
                return (401, "token_invalid")
            case code:
                return (401, code)


def signed(secret: str = STRONG_SECRET, **claims: object) -> str:
    """Return a token of an administrator with these claims."""
    now = int(time.time())
    return jwt.encode({"sub": "1", "admin": True, "iat": now, "exp": now + 600, **claims}, secret, "HS256")


async def strangers(world: World) -> list[Role]:
    """Return the roles that own nothing of Ada's and are not administrators."""
    house = world.house
    made = await house.guest.send("POST", "/api/public/guests", {})
    revoked = await member(house, "revoked@home.example")
    ended = Caller(house.base_url, revoked.token)
    assert (await revoked.send("POST", f"{AUTH}/logout")).status == 204
    return [
        Role("nobody", "nobody", house.guest),
        Role("guest", "user", Caller(house.base_url, made.json["data"]["accessToken"])),
        Role("another user", "user", world.member("bob")),
        Role("forger", "token_invalid", Caller(house.base_url, signed("x" * 40))),
        Role("with an expired token", "token_expired", Caller(house.base_url, signed(iat=1, exp=2))),
        Role("with a revoked token", "token_revoked", ended),
    ]


async def powers(world: World) -> list[Role]:
    """Return the roles that may act on things of others, each within its powers."""
    house = world.house
    admin = house.token(world.member("quitter").user_id, admin=True)
    tokens = {name: house.tokens.issue_to_service(name, ttl_seconds=600) for name in ("payments", "check-in")}
    return [
        *(Role(f"service {name}", name, Caller(house.base_url, token)) for name, token in tokens.items()),
        Role("cron", "cron", Caller(house.base_url, STRONG_SECRET)),
        Role("administrator", "admin", Caller(house.base_url, admin)),
    ]
