"""A greeting carries no text of a stranger's choice that mail programs would make a link of."""

import pytest

from api.mails.languages import words_in
from api.mails.wordings import Reader


def greeting(name: str) -> str:
    return Reader(name, words_in("en")).greeting


@pytest.mark.parametrize("name", ["Ada Example", "Dr. Ada Example", "Ada O'Brien", "\u00c5sa", "A" * 60])
def test_a_name_is_greeted(name: str) -> None:
    assert greeting(name) == f"Hello {name},"


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "A" * 61, "Win at https://evil.example", "WWW.evil", "evil.example", "evil\uff0eexample"),
        *("mail ada@home", "ftp://1.2.3.4", "e\u200bvil.example/x"),
    ],
)
def test_other_texts_are_left_out(name: str) -> None:
    assert greeting(name) == "Hello,"
