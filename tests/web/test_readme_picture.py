"""The README's animated picture is in the repository, moves, and is small enough to load."""

from pathlib import Path

from PIL import Image

from tests.web.readme_picture import PICTURE

LARGEST_BYTES = 2_000_000


def test_the_picture_of_the_readme() -> None:
    assert f'src="docs/{PICTURE.name}"' in (Path(__file__).parents[2] / "README.md").read_text()
    assert PICTURE.stat().st_size < LARGEST_BYTES
    with Image.open(PICTURE) as picture:
        assert picture.n_frames > 30
        assert picture.info["loop"] == 0
