"""Creates accounts directly in the database."""

from tests.database import execute
from tests.house import House


def open_accounts(house: House, *user_ids: int) -> None:
    """Create accounts named "User 7" and so on."""
    execute(
        house.database_url,
        "INSERT INTO users (id, email, full_name, password_hash) "
        "SELECT id, id || '@demo.example', 'User ' || id, '' FROM unnest(%s) AS id",
        list(user_ids),
    )
