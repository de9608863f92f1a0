"""Ticket codes: signed with the secret key, verified with the public key."""

import pytest

from api.papers.ticket_codes import CodeContents, TicketCodes
from tests.scanner import ForgedCode, key_of, read_code

CODES = TicketCodes(b"a seed of thirty-two secret byte")
TICKET = CodeContents(2001, 123, 42)
CODE = CODES.code(TICKET)


def test_a_code_contains_its_ticket() -> None:
    assert CODE.startswith("FR1.2001.123.42.")
    assert len(CODE) < 110
    assert read_code(CODE, key_of(CODES)) == TICKET


def test_the_code_of_a_ticket_that_was_given_away_says_how_often() -> None:
    given = TICKET._replace(issue=2)
    code = CODES.code(given)
    assert code.startswith("FR2.2001.123.42.2.")
    assert read_code(code, key_of(CODES)) == CODES.contents(code) == given
    assert CODES.contents(code.replace(".2.", ".3.")) is None


def test_equal_seeds_give_equal_keys_and_other_seeds_other_keys() -> None:
    assert TicketCodes(b"a seed of thirty-two secret byte").code(TICKET) == CODE
    with pytest.raises(ForgedCode):
        read_code(CODE, key_of(TicketCodes(b"b" * 32)))


@pytest.mark.parametrize("position", range(0, len(CODE), 3))
def test_no_character_can_be_changed(position: int) -> None:
    other = "1" if CODE[position] != "1" else "2"
    with pytest.raises(ForgedCode):
        read_code(CODE[:position] + other + CODE[position + 1 :], key_of(CODES))


@pytest.mark.parametrize(
    "text",
    ["", ".", "FR1", "FR1.2001.123.42", "FR1.1.2.3.é", "FR1.1.2.3.!", f"{CODE}A", CODE.replace("FR1", "FR2")],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ForgedCode):
        read_code(text, key_of(CODES))
