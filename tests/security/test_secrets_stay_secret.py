"""Secrets are in no log, trace, metric, error, command line, output or backup's name, whatever fails.

A server at debug level, with every request traced, is given secrets that are recognised everywhere; then
everything that takes one is used, rightly and wrongly, and what the server has told is searched.
"""

import io
import json
import logging
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.json_log import JsonLines
from frontrow.settings.table import TABLE, variable_of
from tests.api.caller import Caller
from tests.box_office import data, make_event, make_type
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH
from tests.catalogue.programme import open_house as open_hall
from tests.database import execute
from tests.frontrow.collector import Collector, collector
from tests.frontrow.test_cli import frontrow
from tests.house import House
from tests.inbox import Inbox
from tests.security.canaries import Canaries, WatchedCaller
from tests.security.sockets import admission

__all__ = ["collector"]

pytestmark = pytest.mark.gen_test(timeout=180)

LOGGERS_OF_CLIENTS = ("websockets.client", "mail.log")
"""Loggers of the test's own clients and of its mail server."""

MAIL = "ada.canary@home.example"


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{silent.getsockname()[1]}"


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """The log at debug level, in the format of the server."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    handler.addFilter(lambda record: not record.name.startswith(LOGGERS_OF_CLIENTS))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def command_lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of every program that this process starts; `ps` shows them to everybody."""
    started: list[str] = []
    begin = subprocess.Popen.__init__

    def noted(self: Any, args: Any, *others: Any, **options: Any) -> None:
        started.append(str(args))
        begin(self, args, *others, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", noted)
    return started


def secret_settings(canaries: Canaries, database_url: str) -> dict[str, object]:
    names = ("jwt_secret", "personal_data_key", "cron_secret", "metrics_token")
    password = canaries.new("database_password")
    return {
        **{name: canaries.new(name) for name in names},
        "stripe_webhook_secret": f"whsec_{canaries.new('stripe')}",
        "database_url": database_url.replace("//postgres@", f"//postgres:{password}@"),
    }


async def log_in_every_way(caller: Caller, canaries: Canaries, inbox: Inbox) -> str:
    """Register, log in, refresh, reset, and do each wrongly too. Returns an access token."""
    password, wrong = canaries.new("password"), canaries.new("wrong_password")
    for body in ({"email": MAIL, "password": password}, {"email": MAIL, "password": password, "admin": True}):
        await caller.send("POST", f"{AUTH}/register", body)
    for one in (wrong, password):
        answer = await caller.send("POST", f"{AUTH}/login", {"email": MAIL, "password": one})
    token = canaries.keep("access_token", answer.json["access_token"])
    refresh = canaries.keep("refresh_token", answer.json["refresh_token"])
    await caller.send("POST", f"{AUTH}/forgot-password", {"email": MAIL})
    mail = (await inbox.next_mail()).get_body(("plain",)).get_content()
    reset = canaries.keep("reset_token", mail.partition("token=")[2].split()[0])
    await caller.send("POST", f"{AUTH}/reset-password", {"token": reset, "new_password": "short"})
    await caller.send(
        "POST", f"{AUTH}/reset-password", {"token": reset + "x", "new_password": password + "x"}
    )
    caller.token = token
    await caller.send("POST", f"{AUTH}/refresh-token", {"refresh_token": refresh + "x"})
    changed = {"current_password": wrong, "new_password": password + "x"}
    await caller.send("PUT", f"{AUTH}/change-password", changed)
    await caller.send("GET", f"{AUTH}/me?token={token}")
    await caller.send("GET", f"/no/such/path?token={token}")
    return token


async def buy_every_way(house: House, caller: Caller, canaries: Canaries, inbox: Inbox) -> int:
    """Use access codes, sessions, personal data and tickets' codes. Returns a screening."""
    screening, seats = await open_hall(house)
    code = canaries.new("access_code")
    made = await house.admin.send("POST", "/api/v1/admin/channels", {"name": "press", "code": code})
    assert made.status == 201, made.body
    seen = f"/api/v1/seat-reservations/screening/{screening}/availability?access_code="
    for one in (code, canaries.new("wrong_access_code")):
        await caller.send("GET", seen + one)
        await caller.send(
            "POST",
            "/api/v1/seat-reservations/reserve",
            {"screening_id": screening, "seat_ids": [9], "access_code": one},
        )
        await admission(caller, f"/ws/ada?access_code={one}")
    booked = await caller.book(screening, seats[:1], payment_id=canaries.keep("payment", "pi_canary_of_ada"))
    assert booked.status == 201, booked.body
    await inbox.next_mail()
    ticket = (await caller.ticket(booked.json[0]["id"])).json
    canaries.keep("ticket_code", ticket["code"])
    session = data(await caller.send("POST", "/api/public/sessions", {}))["sessionId"]
    canaries.keep("session", session)
    identity = canaries.keep("identity_number", "CANARY00123456")
    kind = await make_type(house, await make_event(house))
    order = {"ticketTypeId": kind, "quantity": 1, "sessionId": session}
    reserved = data(await caller.send("POST", "/api/public/reservations", order))["reservation"]["id"]
    holder = {
        **{"fullName": "Ada", "identityType": "passport", "identityNumber": identity},
        **{"email": MAIL, "whatsapp": "+49 228 1234567"},
    }
    path = f"/api/public/reservations/{reserved}"
    for holders in ([holder, holder], [{**holder, "identityType": "x"}], [holder]):
        bought = {"sessionId": session, "buyerInfo": holder, "ticketHolders": holders}
        purchased = await caller.send("POST", f"{path}/purchase", bought)
    assert purchased.status == 201, purchased.body
    await caller.send("GET", f"{path}?sessionId={session}")
    await admission(caller, f"/ws?sessionId={session}")
    return screening


async def call_from_elsewhere(
    house: House, caller: Caller, canaries: Canaries, settings: dict[str, Any], nowhere: str
) -> None:
    """Webhooks out and in, scheduled jobs, metrics: right secrets, wrong ones, and receivers that fail."""
    hook = {"url": f"http://{nowhere}/hook?key={canaries.new('webhook_url')}"}
    made = await house.admin.send("POST", "/api/v1/admin/webhooks", hook)
    assert made.status == 201, made.body
    canaries.keep("webhook_secret", made.json["secret"])
    await house.admin.send("POST", f"/api/v1/admin/webhooks/{made.json['id']}/test")
    signature = {"Stripe-Signature": f"t=1,v1={canaries.new('stripe_signature')}"}
    await caller.send("POST", "/api/v1/payments/stripe", {"id": "evt_1"}, headers=signature)
    for secret in (settings["cron_secret"], canaries.new("wrong_cron_secret")):
        await WatchedCaller(house.base_url, canaries, secret).send("GET", "/api/cron/cleanup-reservations")
    for secret in (settings["metrics_token"], canaries.new("wrong_metrics_token")):
        await WatchedCaller(house.base_url, canaries, secret).send("GET", "/metrics")


async def test_no_secret_is_written_where_it_does_not_belong(
    open_house: OpenHouse,
    database_url: str,
    inbox: Inbox,
    collector: Collector,
    canaries: Canaries,
    logged: io.StringIO,
    nowhere: str,
) -> None:
    settings = secret_settings(canaries, database_url)
    shown = {name: value for name, value in settings.items() if name != "database_url"}
    house = await open_house(
        **shown,
        smtp_url=inbox.url,
        traces_url=collector.url,
        traces_share=1,
        webhook_private_addresses=True,
        guest_purchase=True,
        log_level="debug",
    )
    caller = WatchedCaller(house.base_url, canaries)
    token = await log_in_every_way(caller, canaries, inbox)
    screening = await buy_every_way(house, caller, canaries, inbox)
    await call_from_elsewhere(house, caller, canaries, settings, nowhere)
    for path in (f"/ws/screenings/{screening}", "/ws", "/ws/ada"):
        await admission(caller, path)
        await admission(WatchedCaller(house.base_url, canaries, token + "x"), path)
    # From here on things fail: mails first, then the tables.
    await house.restart(smtp_url=f"smtp://frontrow:{canaries.new('smtp_password')}@{nowhere}")
    caller.base_url = house.base_url
    await caller.send("POST", f"{AUTH}/forgot-password", {"email": MAIL})
    tables = ("users", "refresh_tokens", "channels", "payments")
    for table in tables:
        execute(database_url, f"ALTER TABLE {table} RENAME TO lost_{table}")
    for body in ({"email": MAIL, "password": canaries.new("password")},):
        for what in ("login", "register", "forgot-password"):
            await caller.send(
                "POST", f"{AUTH}/{what}", body if what != "forgot-password" else {"email": MAIL}
            )
    await caller.send("GET", f"{AUTH}/me")
    await caller.book(screening, [1], payment_id="pi_canary_of_ada")
    for table in tables:
        execute(database_url, f"ALTER TABLE lost_{table} RENAME TO {table}")
    metrics = await Caller(house.base_url, str(settings["metrics_token"])).send("GET", "/metrics")
    assert metrics.status == 200
    await collector.until(lambda: collector.named("POST /api/v1/auth/login"))

    assert '"level":"debug"' in logged.getvalue()
    assert len(canaries.errors) > 15
    assert canaries.found_in(logged.getvalue().splitlines()) == {}
    assert canaries.found_in(map(str, collector.spans)) == {}
    assert canaries.found_in(metrics.body.decode().splitlines()) == {}
    assert canaries.found_in(canaries.errors) == {}


def test_commands_tell_no_secret(
    database_url: str,
    tmp_path: Path,
    canaries: Canaries,
    logged: io.StringIO,
    command_lines: list[str],
    nowhere: str,
) -> None:
    settings = secret_settings(canaries, database_url)
    settings["smtp_url"] = f"smtp://frontrow:{canaries.new('smtp_password')}@{nowhere}"
    variables = {variable_of(name): str(value) for name, value in settings.items()}
    there, backup = ("--data-dir", tmp_path), tmp_path / "backup.tar"
    told = [
        frontrow(*command, *there, **variables).output
        for command in (
            *(
                ["check"],
                ["migrate"],
                ["verify"],
                ["backup", backup],
                ["backup", backup],
                ["restore", backup],
            ),
            *(["outbox", "list"], ["log", "request", "any"], ["nodes"], ["token", "--user-id", "0"]),
        )
    ]
    assert all(told)
    with tarfile.open(backup) as archive:
        members = archive.getnames()
        manifest = json.load(archive.extractfile("manifest.json"))
    assert (
        canaries.found_in([*told, *members, str(manifest), *(path.name for path in tmp_path.iterdir())]) == {}
    )
    assert any("pg_dump" in line for line in command_lines)
    assert canaries.found_in(command_lines) == {}
    assert canaries.found_in(logged.getvalue().splitlines()) == {}


@pytest.mark.parametrize("command", ["serve", "check", "migrate", "backup"])
def test_a_database_that_refuses_is_named_without_its_password(
    command: str, database_url: str, tmp_path: Path, canaries: Canaries, logged: io.StringIO, nowhere: str
) -> None:
    password = canaries.new("database_password")
    arguments = [tmp_path / "backup.tar"] if command == "backup" else []
    for url in (
        f"postgresql://frontrow:{password}@{nowhere}/frontrow",
        database_url.replace("//postgres@", f"//nobody-known:{password}@"),
    ):
        said = frontrow(command, *arguments, "--data-dir", tmp_path / "data", FRONTROW_DATABASE_URL=url)
        assert said.exit_code == 1, said.output
        assert canaries.found_in([said.output, logged.getvalue()]) == {}


def test_invalid_settings_are_named_without_their_values(tmp_path: Path, canaries: Canaries) -> None:
    """Each secret is given in a form that its setting refuses."""
    hidden = [setting for setting in TABLE.values() if not setting.public]
    assert len(hidden) >= 11
    refused = {setting.variable: f"ftp://x:{canaries.new(setting.name)} \t@y" for setting in hidden}
    said = frontrow("check", "--data-dir", tmp_path, **refused)
    assert said.exit_code == 1
    assert "FRONTROW_DATABASE_URL must be" in said.output
    assert canaries.found_in([said.output]) == {}


def test_every_setting_that_may_hold_a_password_is_secret() -> None:
    urls = {name for name in TABLE if name.endswith("_url") and name != "public_url"}
    secrets = {name for name in TABLE if name.endswith(("_secret", "_secrets", "_key", "_keys", "_token"))}
    public = {name for name in urls | secrets if TABLE[name].public}
    assert public == {"jwt_public_key"}
