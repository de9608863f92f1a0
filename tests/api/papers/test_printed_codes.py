"""Codes printed on tickets: they say which ticket it is, and cannot be guessed."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api.papers.printed_codes import ISSUES_LIMIT, PrintedCodes
from api.papers.readable_codes import ALPHABET, spelled

OLD, NEW = b"a seed of thirty-two secret byte", b"b" * 32
CODES = PrintedCodes([OLD])
TICKETS = st.integers(1, 2**57)
ISSUES = st.integers(0, ISSUES_LIMIT - 1)


@given(TICKETS, ISSUES)
def test_a_code_is_that_of_one_issue_of_one_ticket(ticket_id: int, issue: int) -> None:
    code = CODES.code(ticket_id, issue)
    assert CODES.read(spelled(code.lower().replace("-", " "))) == (ticket_id, issue)


@given(TICKETS, st.data())
def test_a_misspelled_code_is_none(ticket_id: int, draw: st.DataObject) -> None:
    code = CODES.code(ticket_id, 0)
    place = draw.draw(st.sampled_from([n for n, character in enumerate(code) if character != "-"]))
    wrong = draw.draw(st.sampled_from([character for character in ALPHABET if character != code[place]]))
    assert CODES.read(code[:place] + wrong + code[place + 1 :]) is None
    assert CODES.read(code[:-1]) is None


@given(st.integers(1, 2**32), ISSUES)
def test_codes_of_an_earlier_key_are_read(ticket_id: int, issue: int) -> None:
    assert PrintedCodes([NEW, OLD]).read(CODES.code(ticket_id, issue)) == (ticket_id, issue)


def test_codes_of_neighbours_have_nothing_in_common() -> None:
    """The characters are as often equal as those of random codes."""
    codes = [CODES.code(ticket_id, 0).replace("-", "")[:-1] for ticket_id in range(1, 4001)]
    equal = sum(a == b for one, other in pairwise(codes) for a, b in zip(one, other, strict=True))
    share = equal / (len(codes) - 1) / len(codes[0])
    assert len(set(codes)) == len(codes)
    assert abs(share * len(ALPHABET) - 1) < 0.1
    others = {PrintedCodes([NEW]).code(ticket_id, 0) for ticket_id in range(1, 4001)}
    assert others.isdisjoint(CODES.code(ticket_id, 0) for ticket_id in range(1, 4001))
