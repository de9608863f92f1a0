"""Authentication over HTTP: registering, logging in and out, changing and forgetting passwords."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.client import connect

from frontrow.demo import LOGINS, prepare_demo
from persistence.connector import Connector
from tests.api.cinema import receive, receive_close
from tests.catalogue.conftest import OpenHouse
from tests.catalogue.members import AUTH, PASSWORD, Member, member
from tests.catalogue.programme import make_room, make_screening
from tests.database import execute
from tests.house import House
from tests.inbox import Inbox
from tests.proxies.visitors import visitor

pytestmark = pytest.mark.gen_test

OTHER_PASSWORD = "another horse battery"


async def test_a_registered_user_logs_in_by_json_and_by_form(house: House) -> None:
    ada = Member(house, " Ada@Home.Example ")
    registered = await ada.register(full_name="Ada Byron")
    assert registered.status == 201
    assert registered.json["email"] == "ada@home.example"
    assert "password" not in registered.body.decode()
    for logged_in in (await ada.log_in(), await ada.log_in_by_form(grant_type="password")):
        assert logged_in.status == 200
        assert (logged_in.json["token_type"], logged_in.json["expires_in"]) == ("bearer", 3600)
        shown = await ada.who_am_i()
        assert (shown.json["id"], shown.json["full_name"]) == (ada.user_id, "Ada Byron")
    assert (await ada.send("POST", "/api/v1/cinemas/", {"name": "Mine"})).status == 403


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": "ada", "password": PASSWORD}, "email"),
        ({"email": "a..b@home.example", "password": PASSWORD}, "email"),
        ({"email": "ada@home.example\r\nBcc: x@y.example", "password": PASSWORD}, "email"),
        ({"email": "x" * 250 + "@home.example", "password": PASSWORD}, "email"),
        ({"email": "x" * 65 + "@home.example", "password": PASSWORD}, "email"),
        ({"email": "ada@home.example"}, "password"),
        ({"email": "ada@home.example", "password": "too short"}, "password"),
        ({"email": "ada@home.example", "password": "aaaaaaaaaaaaaa"}, "password"),
        ({"email": "ada@home.example", "password": "1234567890"}, "password"),
        ({"email": "ada@home.example", "password": "ADA@home.example"}, "password"),
        ({"email": "ada@home.example", "password": PASSWORD + "\x00"}, "password"),
        ({"email": "ada@home.example", "password": "long enough " * 20}, "password"),
    ],
)
async def test_bad_registrations_are_refused_by_name(house: House, body: dict, field: str) -> None:
    refused = await house.guest.send("POST", f"{AUTH}/register", body)
    assert (refused.status, list(refused.json["errors"])) == (422, [field])


async def test_e_mail_addresses_are_unique_regardless_of_case(house: House) -> None:
    answers = await asyncio.gather(
        *(Member(house, email).register() for email in ("ada@home.example", "ADA@home.example") * 3)
    )
    assert sorted(answer.status for answer in answers) == [201, *[409] * 5]
    assert {answer.code for answer in answers if answer.status == 409} == {"email_exists"}


@pytest.mark.parametrize(
    ("address", "shown", "same"),
    [
        ("Ада@Почта.РФ", "ада@почта.рф", "АДА@xn--80a1acny.xn--p1ai"),
        ("用户@例子.广告", "用户@例子.广告", "用户@例子.广告 "),
        ("jose\u0301@Bücher.example", "jos\u00e9@bücher.example", "JOS\u00c9@xn--bcher-kva.example"),
        ("J\u030cure@home.example", "\u01f0ure@home.example", "\u01f0ure@home.example"),
        ("ada+tickets@cinema.test", "ada+tickets@cinema.test", "ADA+tickets@Cinema.TEST"),
        ("ada@mail.cinema.local", "ada@mail.cinema.local", "ada@MAIL.cinema.local"),
    ],
)
async def test_e_mail_addresses_may_use_any_script(house: House, address: str, shown: str, same: str) -> None:
    made = await Member(house, address).register()
    assert (made.status, made.json["email"]) == (201, shown)
    assert (await Member(house, same).register()).code == "email_exists"
    assert (await Member(house, same).log_in()).status == 200


async def test_a_wrong_password_and_an_unknown_address_look_the_same(house: House) -> None:
    ada = await member(house)
    ada.password = OTHER_PASSWORD
    wrong, unknown = await ada.log_in(), await Member(house, "nobody@home.example").log_in()
    assert wrong.status == unknown.status == 401
    assert wrong.json == unknown.json
    assert wrong.code == "invalid_credentials"


@pytest.mark.parametrize("raw", [b"username=a", b"username=%ff&password=x", b"\xff", b""])
async def test_bad_forms_are_refused(house: House, raw: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await house.guest.send("POST", f"{AUTH}/login", raw=raw, headers=headers)).status == 422


async def test_attempts_are_bounded_per_account_and_per_address(open_house: OpenHouse) -> None:
    house = await open_house(attempts_per_account=3, attempts_per_address=8)
    ada = await member(house)
    ada.password = OTHER_PASSWORD
    answers = await asyncio.gather(*(ada.log_in() for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [401, 401, 401, 429, 429]
    ada.password = PASSWORD
    refused = await ada.log_in()
    assert (refused.status, refused.code) == (429, "too_many_attempts")
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    statuses = [(await Member(house, f"{number}@home.example").log_in()).status for number in range(4)]
    assert statuses[-1] == 429
    assert (await Member(house, "new@home.example").register()).status == 429


async def test_a_stranger_slows_guessing_and_does_not_lock_the_owner_out(open_house: OpenHouse) -> None:
    house = await open_house(attempts_per_account=3, attempts_per_account_anywhere=9)
    ada = await member(house)
    wrong = {"email": ada.email, "password": OTHER_PASSWORD}
    right = {"email": ada.email, "password": PASSWORD}

    async def tried(address: str, body: dict[str, str], times: int = 1) -> list[int]:
        statuses = []
        async with visitor(address) as session:
            for _ in range(times):
                async with session.post(f"{house.base_url}{AUTH}/login", json=body) as answer:
                    statuses.append(answer.status)
        return statuses

    assert await tried("127.0.0.2", wrong, 5) == [401, 401, 401, 429, 429]
    assert await tried("127.0.0.2", right) == [429]
    # The owner is let in where she has been and where she has not.
    assert await tried("127.0.0.1", right) == [200]
    assert await tried("127.0.0.3", right) == [200]

    statuses = [status for last in range(4, 12) for status in await tried(f"127.0.0.{last}", wrong, 4)]
    assert statuses.count(401) == 6
    assert await tried("127.0.0.20", right) == [429]
    assert await tried("127.0.0.1", right) == [200]
    assert await tried("127.0.0.3", right) == [200]
    # Nor by somebody with her token but without her password.
    thief = {"Authorization": f"Bearer {ada.token}"}
    change = {"current_password": "not the password", "new_password": OTHER_PASSWORD}
    async with visitor("127.0.0.2") as session:
        async with session.put(
            f"{house.base_url}{AUTH}/change-password", json=change, headers=thief
        ) as answer:
            assert answer.status == 429
    assert (await ada.change_password(OTHER_PASSWORD)).status == 200


async def test_a_successful_log_in_resets_the_count(open_house: OpenHouse) -> None:
    house = await open_house(attempts_per_account=2, attempts_per_address=3)
    ada = await member(house)
    for _ in range(6):
        assert (await ada.log_in()).status == 200


async def test_hashes_follow_the_settings(open_house: OpenHouse) -> None:
    weak = await open_house(password_memory_kib=1024, password_passes=1)
    ada = await member(weak)
    hashes = "SELECT password_hash FROM users"
    assert "$m=1024,t=1," in execute(weak.database_url, hashes)[0][0]
    strong = await open_house(password_memory_kib=2048, password_passes=2)
    again = Member(strong, ada.email)
    assert (await again.log_in()).status == 200
    ((stored,),) = execute(strong.database_url, hashes)
    assert stored.startswith("$argon2id$")
    assert "$m=2048,t=2," in stored
    assert (await again.log_in()).status == 200


async def test_logging_out_only_ends_this_log_in(house: House) -> None:
    ada = await member(house)
    elsewhere = Member(house, ada.email)
    await elsewhere.log_in()
    assert (await ada.log_out()).status == 204
    refused = await ada.who_am_i()
    assert (refused.status, refused.code) == (401, "token_revoked")
    renewed = await elsewhere.renew(ada.refresh)
    assert (renewed.status, renewed.code) == (401, "refresh_token_invalid")
    assert (await elsewhere.who_am_i()).status == 200
    assert (await elsewhere.renew()).status == 200


async def test_tokens_of_other_services_work_and_can_be_revoked(house: House) -> None:
    stranger, other = house.user(4711), house.user(4711)
    unknown = await stranger.send("GET", f"{AUTH}/me")
    assert (unknown.status, unknown.code) == (404, "user_not_found")
    assert (await stranger.my_tickets()).status == 200
    assert (await stranger.send("POST", f"{AUTH}/logout")).status == 204
    assert (await stranger.my_tickets()).status == 401
    assert (await other.my_tickets()).status == 200


async def test_refresh_tokens_are_used_once_and_reuse_ends_the_log_in(house: House) -> None:
    ada = await member(house)
    first = ada.refresh
    assert (await ada.renew()).status == 200
    second, access = ada.refresh, ada.token
    assert second != first
    stolen = await ada.renew(first)
    assert (stolen.status, stolen.code) == (401, "refresh_token_invalid")
    assert (await ada.who_am_i()).code == "token_revoked"
    await ada.log_in()
    assert (await ada.renew(second)).status == 401
    ada.token = access
    assert (await ada.who_am_i()).status == 401


async def test_only_one_of_many_uses_of_a_refresh_token_succeeds(house: House) -> None:
    ada = await member(house)
    first, access = ada.refresh, ada.token
    guests = [Member(house, ada.email) for _ in range(5)]
    for guest in guests:
        guest.token = access
    answers = await asyncio.gather(*(guest.renew(first) for guest in guests))
    assert [answer.status for answer in answers].count(200) <= 1
    assert (await ada.who_am_i()).status == 401


async def test_a_refresh_token_only_works_for_its_user(house: House) -> None:
    ada, eve = await member(house), await member(house, "eve@home.example")
    assert (await eve.renew(ada.refresh)).status == 401
    assert (await ada.renew()).status == 200
    assert (
        await house.guest.send("POST", f"{AUTH}/refresh-token", {"refresh_token": ada.refresh})
    ).status == 401


async def test_secrets_are_stored_as_digests_and_never_by_idempotency_key(house: House) -> None:
    ada = await member(house)
    body = {"email": ada.email, "password": ada.password}
    answers = [await house.guest.send("POST", f"{AUTH}/login", body, key="once") for _ in range(2)]
    assert answers[0].json["refresh_token"] != answers[1].json["refresh_token"]
    tables = ("users", "logins", "refresh_tokens", "revoked_tokens", "idempotency_keys")
    stored = "".join(
        str(execute(house.database_url, f"SELECT {table}::text FROM {table}"))  # noqa: S608
        for table in tables
    )
    for secret in (ada.password, ada.refresh, ada.token, answers[0].json["refresh_token"]):
        assert secret not in stored


async def test_a_changed_password_ends_everything_at_once(house: House) -> None:
    ada = await member(house)
    elsewhere = Member(house, ada.email)
    await elsewhere.log_in()
    minted = house.user(ada.user_id)
    screening = await make_screening(house, await make_room(house))
    url = f"ws{house.base_url.removeprefix('http')}/ws/screenings/{screening}?token="
    sockets = [await connect(url + str(token), proxy=None) for token in (elsewhere.token, minted.token)]
    bystander = await connect(url + house.token(ada.user_id + 1), proxy=None)
    for socket in (*sockets, bystander):
        assert (await receive(socket))["type"] == "connection_confirmed"
    assert (await ada.change_password(OTHER_PASSWORD)).status == 200
    for socket in sockets:
        assert await receive_close(socket) == (1008, "Token revoked")
    assert (await ada.who_am_i()).status == 200
    assert (await elsewhere.who_am_i()).code == "token_revoked"
    assert (await minted.my_tickets()).code == "token_revoked"
    assert (await elsewhere.log_in()).status == 401
    elsewhere.password = OTHER_PASSWORD
    assert (await elsewhere.log_in()).status == 200
    await bystander.send('{"type": "ping"}')
    assert (await receive(bystander))["type"] == "pong"
    await bystander.close()


async def test_changing_the_password_needs_the_current_and_a_strong_one(open_house: OpenHouse) -> None:
    house = await open_house(attempts_per_account=2)
    ada = await member(house)
    weak = await ada.change_password("0123456789")
    assert (weak.status, list(weak.json["errors"])) == (422, ["new_password"])
    for status, code in ((403, "wrong_password"), (403, "wrong_password"), (429, "too_many_attempts")):
        refused = await ada.change_password(OTHER_PASSWORD, current="not the password")
        assert (refused.status, refused.code) == (status, code)
    stranger = await house.user(4711).send(
        "PUT", f"{AUTH}/change-password", {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    )
    assert (stranger.status, stranger.code) == (404, "user_not_found")


async def test_concurrent_log_ins_end_with_a_password_change(open_house: OpenHouse) -> None:
    house = await open_house(attempts_per_account=100, password_memory_kib=64, password_passes=1)
    ada = await member(house)
    thieves = [Member(house, ada.email) for _ in range(20)]
    await asyncio.gather(*(thief.log_in() for thief in thieves), ada.change_password(OTHER_PASSWORD))
    for thief in thieves:
        if thief.token is not None:
            assert (await thief.who_am_i()).status == 401
            assert (await thief.renew()).status == 401
    assert (await ada.who_am_i()).status == 200


async def test_revocations_reach_other_servers_and_survive_restarts(
    open_house: OpenHouse,
) -> None:
    house = await open_house()
    other = await open_house(revocation_refresh_seconds=0.05)
    ada, eve = await member(house), await member(house, "eve@home.example")
    await ada.log_out()
    await eve.change_password(OTHER_PASSWORD)
    old_eve = other.user(eve.user_id)
    ada.base_url = old_eve.base_url = other.base_url
    async with asyncio.timeout(60):
        while (await ada.who_am_i()).status != 401:
            pass
    await house.restart()
    ada.base_url = eve.base_url = house.base_url
    assert (await ada.who_am_i()).code == "token_revoked"
    assert (await eve.who_am_i()).status == 200


async def test_a_forgotten_password_is_reset_by_mail_once(open_house: OpenHouse, inbox: Inbox) -> None:
    house = await open_house(smtp_url=inbox.url, public_url="https://cinema.example")
    ada = await member(house)
    known = await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": "ADA@home.example"})
    unknown = await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": "nobody@home.example"})
    assert known.status == unknown.status == 202
    assert known.json == unknown.json
    mail = await inbox.next_mail()
    assert mail["To"] == "ada@home.example"
    token = token_in(mail.get_body(("plain",)).get_content())
    body = {"token": token, "new_password": "short"}
    assert (await house.guest.send("POST", f"{AUTH}/reset-password", body)).status == 422
    body["new_password"] = OTHER_PASSWORD
    answers = await asyncio.gather(
        *(house.guest.send("POST", f"{AUTH}/reset-password", body) for _ in range(3))
    )
    assert sorted(answer.status for answer in answers) == [204, 400, 400]
    assert (await ada.who_am_i()).code == "token_revoked"
    assert (await ada.log_in()).status == 401
    ada.password = OTHER_PASSWORD
    assert (await ada.log_in()).status == 200
    assert inbox.empty


async def test_a_link_expires_and_a_newer_one_takes_its_place(open_house: OpenHouse, inbox: Inbox) -> None:
    house = await open_house(smtp_url=inbox.url)
    ada = await member(house)
    tokens = []
    for _ in range(2):
        await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": ada.email})
        tokens.append(token_in((await inbox.next_mail()).get_body(("plain",)).get_content()))
    replaced = await reset(house, tokens[0])
    assert (replaced.status, replaced.code) == (400, "reset_token_invalid")
    execute(house.database_url, "UPDATE password_resets SET expires_at = now()")
    assert (await reset(house, tokens[1])).code == "reset_token_invalid"


async def test_without_a_mail_server_the_mail_is_a_file(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    ada = await member(house)
    await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": ada.email})
    await house.restart()
    (file,) = (house.data_dir / "mail").iterdir()
    token = token_in(file.read_text())
    assert str(file) in caplog.text
    assert token not in caplog.text
    assert (await reset(house, token)).status == 204


async def test_mails_to_one_account_are_bounded(house: House) -> None:
    ada = await member(house)
    for _ in range(10):
        assert (await house.guest.send("POST", f"{AUTH}/forgot-password", {"email": ada.email})).status == 202
    await house.restart()
    assert len(list((house.data_dir / "mail").iterdir())) == 3


async def test_the_demos_log_ins_work(house: House) -> None:
    connector = Connector(house.database_url, pool_size=1)
    passwords = {login.email: "demo-" + login.email for login in LOGINS}
    await prepare_demo(connector, passwords, lambda code: code.encode())
    connector.close()
    for login in LOGINS:
        somebody = Member(house, login.email, "demo-" + login.email)
        assert (await somebody.log_in()).status == 200
        assert (await somebody.who_am_i()).json["is_admin"] is login.is_admin
        created = await somebody.send("POST", "/api/v1/cinemas/", {"name": "New"})
        assert created.status == (201 if login.is_admin else 403)


async def reset(house: House, token: str):
    return await house.guest.send(
        "POST", f"{AUTH}/reset-password", {"token": token, "new_password": OTHER_PASSWORD}
    )


def token_in(text: str) -> str:
    """Extract the token from the link in a mail."""
    words = text.replace("=\n", "").replace("=3D", "=").split()
    link = next(word for word in words if "/reset-password?" in word)
    (token,) = parse_qs(urlsplit(link).query)["token"]
    return token
