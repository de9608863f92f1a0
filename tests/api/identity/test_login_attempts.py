"""The limits on password guessing, which must not lock owners out."""

from api.errors import TooManyAttempts
from api.identity.login_attempts import LoginAttempts
from engine.memory import ManualClock

ADA = "ada@home.example"
HOME = "192.0.2.7"
WINDOW_SECONDS = 900.0
DAY_SECONDS = 86_400


def admitted(attempts: LoginAttempts, address: str, account: str = ADA) -> bool:
    try:
        attempts.attempt(account, address)
    except TooManyAttempts:
        return False
    return True


def stranger(number: int) -> str:
    """Return the IP address of a stranger."""
    return f"198.{number // 65_536}.{number // 256 % 256}.{number % 256}"


def test_one_stranger_only_locks_out_one_address() -> None:
    attempts = LoginAttempts(10, 200, WINDOW_SECONDS, ManualClock().now)
    assert [admitted(attempts, stranger(1)) for _ in range(1000)].count(True) == 10
    # The owner has no known address yet, and mistypes the password nine times.
    assert all(admitted(attempts, HOME) for _ in range(10))
    assert not admitted(attempts, HOME)


def test_many_strangers_never_lock_out_a_known_address_of_the_owner() -> None:
    attempts = LoginAttempts(10, 200, WINDOW_SECONDS, ManualClock().now)
    assert admitted(attempts, HOME)
    attempts.succeeded(ADA, HOME)
    for number in range(5000):
        admitted(attempts, stranger(number))
    assert not admitted(attempts, "203.0.113.1")
    for _ in range(50):
        assert admitted(attempts, HOME)
        attempts.succeeded(ADA, HOME)


def test_a_new_address_is_admitted_again_after_a_window_or_a_password_reset() -> None:
    clock = ManualClock()
    attempts = LoginAttempts(10, 200, WINDOW_SECONDS, clock.now)
    for number in range(5000):
        admitted(attempts, stranger(number))
    assert not admitted(attempts, HOME)
    attempts.trust(ADA, HOME)
    assert admitted(attempts, HOME)
    assert not admitted(attempts, "203.0.113.1")
    clock.advance(WINDOW_SECONDS)
    assert admitted(attempts, "203.0.113.1")


def test_guesses_per_day_are_limited_for_any_number_of_addresses() -> None:
    clock = ManualClock()
    attempts = LoginAttempts(10, 200, WINDOW_SECONDS, clock.now)
    guesses = 0
    for number in range(DAY_SECONDS // 2):
        clock.advance(2)
        guesses += admitted(attempts, stranger(number))
    assert 15_000 < guesses <= 19_200


def test_log_ins_of_the_owner_do_not_allow_strangers_more_guesses() -> None:
    attempts = LoginAttempts(10, 200, WINDOW_SECONDS, ManualClock().now)
    guesses = 0
    for number in range(5000):
        guesses += admitted(attempts, stranger(number))
        if admitted(attempts, HOME):
            attempts.succeeded(ADA, HOME)
    assert guesses == 200


def test_attempts_at_one_account_do_not_count_for_another() -> None:
    attempts = LoginAttempts(2, 4, WINDOW_SECONDS, ManualClock().now)
    for number in range(10):
        admitted(attempts, stranger(number))
    assert admitted(attempts, stranger(1), "bob@home.example")
