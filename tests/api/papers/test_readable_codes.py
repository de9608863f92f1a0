"""Human-readable codes: unique, without look-alike characters, and with a checksum against typos."""

from hypothesis import given
from hypothesis import strategies as st

from api.papers.readable_codes import ALPHABET, code_of, new_ticket_code
from api.rest.fields import LARGEST_ID

NUMBERS = st.integers(0, LARGEST_ID)


def number_of(code: str) -> int | None:
    """Return the number of a code; None if its checksum is wrong."""
    values = [ALPHABET.index(character) for character in code.replace("-", "")]
    weights = [place % (len(ALPHABET) - 1) + 1 for place in range(len(values))]
    if sum(weight * value for weight, value in zip(weights, reversed(values), strict=True)) % len(ALPHABET):
        return None
    number = 0
    for value in values[:-1]:
        number = number * len(ALPHABET) + value
    return number


@given(NUMBERS)
def test_codes_are_unique_per_number(number: int) -> None:
    assert number_of(code_of(number)) == number


@given(NUMBERS, st.data())
def test_a_wrong_character_is_detected(number: int, draw: st.DataObject) -> None:
    code = code_of(number)
    place = draw.draw(st.sampled_from([n for n, character in enumerate(code) if character != "-"]))
    wrong = draw.draw(st.sampled_from([character for character in ALPHABET if character != code[place]]))
    assert number_of(code[:place] + wrong + code[place + 1 :]) is None


@given(NUMBERS, st.data())
def test_two_swapped_characters_are_detected(number: int, draw: st.DataObject) -> None:
    code = code_of(number).replace("-", "")
    place = draw.draw(st.integers(0, len(code) - 2))
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert swapped == code or number_of(swapped) is None


def test_no_two_characters_look_alike() -> None:
    assert len(set(ALPHABET)) == len(ALPHABET) == 23
    for alike in ("0OQ", "1IL", "2Z", "5S", "6G", "8B", "UV"):
        assert len(set(alike) & set(ALPHABET)) <= 1


def test_ticket_codes_are_random() -> None:
    codes = {new_ticket_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(number_of(code) is not None and len(code) == 19 for code in codes)
