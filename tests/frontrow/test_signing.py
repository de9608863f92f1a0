"""The signing keys: the operator's, or ones that development mode generates once per data directory."""

import stat
import threading
from pathlib import Path

import pytest

from api.identity.tokens import InvalidToken, NoSigningKey, Tokens
from api.papers.cipher import DecryptionFailed
from api.papers.ticket_codes import CodeContents
from frontrow.settings import Settings
from frontrow.signing import (
    KEY_FILE,
    PERSONAL_DATA_KEY_FILE,
    aliases_of,
    cipher_of,
    ticket_codes_of,
    tokens_of,
)
from tests.scanner import ForgedCode, key_of, read_code
from tests.signing_keys import ED25519_KEY, STRONG_SECRET, public_pem


def test_two_commands_on_one_data_directory_share_a_secret(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "new" / "directory")
    token = tokens_of(settings).issue(7, ttl_seconds=60)
    assert tokens_of(settings).verify(token).user_id == 7


def test_another_data_directory_has_another_secret(tmp_path: Path) -> None:
    token = tokens_of(Settings(data_dir=tmp_path / "one")).issue(7, ttl_seconds=60)
    with pytest.raises(InvalidToken):
        tokens_of(Settings(data_dir=tmp_path / "other")).verify(token)


def test_the_stored_secret_is_only_readable_by_its_owner(tmp_path: Path) -> None:
    tokens_of(Settings(data_dir=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


def test_commands_that_start_together_use_one_secret(tmp_path: Path) -> None:
    for attempt in range(50):
        settings = Settings(data_dir=tmp_path / str(attempt))
        start = threading.Barrier(4)
        made: list[Tokens] = []

        def command(
            settings: Settings = settings, start: threading.Barrier = start, made: list[Tokens] = made
        ) -> None:
            start.wait()
            made.append(tokens_of(settings))

        threads = [threading.Thread(target=command) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        token = made[0].issue(7, ttl_seconds=60)
        assert [tokens.verify(token).user_id for tokens in made] == [7] * 4


def test_the_operators_secret_leaves_no_file(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, jwt_secret=STRONG_SECRET)
    assert tokens_of(settings).verify(tokens_of(settings).issue(7, ttl_seconds=60)).user_id == 7
    assert not list(tmp_path.iterdir())


def test_a_public_key_creates_no_file_and_issues_no_tokens(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, jwt_algorithm="EdDSA", jwt_public_key=public_pem(ED25519_KEY))
    with pytest.raises(NoSigningKey):
        tokens_of(settings).issue(7, ttl_seconds=60)
    assert not list(tmp_path.iterdir())


def test_issuer_audience_and_longest_life_are_the_settings(tmp_path: Path) -> None:
    chain = Settings(jwt_secret=STRONG_SECRET, jwt_issuer="box-office", jwt_audience="frontrow")
    token = tokens_of(chain).issue(7, ttl_seconds=60)
    assert tokens_of(chain).verify(token).user_id == 7
    for stricter in (
        Settings(jwt_secret=STRONG_SECRET, jwt_issuer="elsewhere", jwt_audience="frontrow"),
        Settings(jwt_secret=STRONG_SECRET, jwt_issuer="box-office"),
        Settings(
            jwt_secret=STRONG_SECRET,
            jwt_issuer="box-office",
            jwt_audience="frontrow",
            token_max_life_seconds=59,
        ),
    ):
        with pytest.raises(InvalidToken):
            tokens_of(stricter).verify(token)


def test_revoked_tokens_are_refused() -> None:
    revoked: set[str] = set()
    tokens = tokens_of(Settings(jwt_secret=STRONG_SECRET), lambda identity: identity.token_id in revoked)
    token = tokens.issue(7, ttl_seconds=60)
    revoked.add(tokens.verify(token).token_id)
    with pytest.raises(InvalidToken) as refusal:
        tokens.verify(token)
    assert refusal.value.code == "token_revoked"


def test_personal_data_is_encrypted_with_a_given_or_generated_key(tmp_path: Path) -> None:
    for settings in (Settings(data_dir=tmp_path), Settings(personal_data_key=STRONG_SECRET)):
        ciphertext = cipher_of(settings).encrypt(b"ada@home.example", b"ticket")
        assert cipher_of(settings).decrypt(ciphertext, b"ticket") == b"ada@home.example"
    assert [path.name for path in tmp_path.iterdir()] == [PERSONAL_DATA_KEY_FILE]
    with pytest.raises(DecryptionFailed):
        cipher_of(Settings(data_dir=tmp_path)).decrypt(ciphertext, b"ticket")


def test_aliases_are_the_same_on_all_servers_with_the_same_key(tmp_path: Path) -> None:
    given = Settings(personal_data_key=STRONG_SECRET)
    alias = aliases_of(given).of("user:7")
    assert alias == aliases_of(given).of("user:7")
    assert alias != aliases_of(given).of("user:8")
    generated = Settings(data_dir=tmp_path)
    assert aliases_of(generated).of("user:7") == aliases_of(generated).of("user:7") != alias


OLDER_SECRET, OLDEST_SECRET = STRONG_SECRET[::-1], STRONG_SECRET[1:] + "x"


def test_tokens_of_old_secrets_are_accepted_while_listed() -> None:
    tokens = [
        tokens_of(Settings(jwt_secret=secret)).issue(7, ttl_seconds=60)
        for secret in (STRONG_SECRET, OLDER_SECRET, OLDEST_SECRET)
    ]
    rotated = tokens_of(Settings(jwt_secret=STRONG_SECRET, jwt_old_secrets=(OLDER_SECRET, OLDEST_SECRET)))
    assert [rotated.verify(token).user_id for token in tokens] == [7, 7, 7]
    # New tokens are only signed with the new secret.
    assert tokens_of(Settings(jwt_secret=STRONG_SECRET)).verify(rotated.issue(8, ttl_seconds=60)).user_id == 8
    retired = tokens_of(Settings(jwt_secret=STRONG_SECRET, jwt_old_secrets=(OLDER_SECRET,)))
    assert retired.verify(tokens[1]).user_id == 7
    with pytest.raises(InvalidToken):
        retired.verify(tokens[2])


def test_an_expired_token_of_an_old_secret_is_refused() -> None:
    strict = Settings(jwt_secret=STRONG_SECRET, jwt_old_secrets=(OLDER_SECRET,), token_max_life_seconds=59)
    token = tokens_of(Settings(jwt_secret=OLDER_SECRET)).issue(7, ttl_seconds=60)
    with pytest.raises(InvalidToken, match="at most 59"):
        tokens_of(strict).verify(token)


def test_old_ticket_codes_are_valid_under_the_old_public_keys() -> None:
    ticket = CodeContents(2001, 123, 42)
    before = ticket_codes_of(Settings(jwt_secret=OLDER_SECRET))
    after = ticket_codes_of(Settings(jwt_secret=STRONG_SECRET, jwt_old_secrets=(OLDER_SECRET,)))
    assert after.old_public_jwks == [before.public_jwk]
    assert read_code(after.code(ticket), key_of(after)) == ticket
    with pytest.raises(ForgedCode):
        read_code(before.code(ticket), key_of(after))


def test_old_personal_data_stays_readable_after_a_key_change() -> None:
    old = cipher_of(Settings(personal_data_key=OLDER_SECRET)).encrypt(b"ada", b"ticket")
    rotated = cipher_of(
        Settings(personal_data_key=STRONG_SECRET, personal_data_old_keys=(OLDEST_SECRET, OLDER_SECRET))
    )
    assert rotated.decrypt(old, b"ticket") == b"ada"
    new = rotated.encrypt(b"ada", b"ticket")
    assert cipher_of(Settings(personal_data_key=STRONG_SECRET)).decrypt(new, b"ticket") == b"ada"
    with pytest.raises(DecryptionFailed):
        rotated.decrypt(old, b"another ticket")
