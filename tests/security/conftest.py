"""The world in which Ada owns one object of each kind (`tests.catalogue.test_foreign_objects`)."""

from tests.catalogue.conftest import house, open_house
from tests.catalogue.test_foreign_objects import world

__all__ = ["house", "open_house", "world"]
