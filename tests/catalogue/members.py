"""Users who register and log in over HTTP."""

from typing import Any
from urllib.parse import urlencode

from tests.api.caller import Caller, Response
from tests.house import House

AUTH = "/api/v1/auth"
PASSWORD = "correct horse battery"


class Member(Caller):
    """A user with an account. Requests use the access token of the last log-in."""

    def __init__(self, house: House, email: str, password: str = PASSWORD) -> None:
        super().__init__(house.base_url)
        self.email = email
        self.password = password
        self.user_id = 0
        self.refresh = ""

    async def register(self, **details: Any) -> Response:
        body = {"email": self.email, "password": self.password, **details}
        answer = await Caller(self.base_url).send("POST", f"{AUTH}/register", body)
        if answer.status == 201:
            self.user_id = answer.json["id"]
        return answer

    async def log_in(self) -> Response:
        body = {"email": self.email, "password": self.password}
        return self._with(await Caller(self.base_url).send("POST", f"{AUTH}/login", body))

    async def log_in_by_form(self, **fields: str) -> Response:
        form = urlencode({"username": self.email, "password": self.password, **fields}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        guest = Caller(self.base_url)
        return self._with(await guest.send("POST", f"{AUTH}/login", raw=form, headers=headers))

    async def renew(self, refresh_token: str | None = None) -> Response:
        body = {"refresh_token": refresh_token or self.refresh}
        return self._with(await self.send("POST", f"{AUTH}/refresh-token", body))

    async def change_password(self, new: str, current: str | None = None) -> Response:
        body = {"current_password": current or self.password, "new_password": new}
        return self._with(await self.send("PUT", f"{AUTH}/change-password", body))

    async def log_out(self) -> Response:
        return await self.send("POST", f"{AUTH}/logout")

    async def who_am_i(self) -> Response:
        return await self.send("GET", f"{AUTH}/me")

    def _with(self, answer: Response) -> Response:
        if answer.status == 200:
            self.token, self.refresh = answer.json["access_token"], answer.json["refresh_token"]
        return answer


async def member(house: House, email: str = "ada@home.example", **details: Any) -> Member:
    """Create a user who has registered and logged in."""
    user = Member(house, email)
    registered = await user.register(**details)
    assert registered.status == 201, registered.body
    logged_in = await user.log_in()
    assert logged_in.status == 200, logged_in.body
    return user
