"""A module in a package in a package."""

from .. import catalogue

ALL = ["apple", "pear"]


def every():
    return ALL


class Shelf:
    """Holds things."""

    class Board:
        def width(self):
            return 80

    def __init__(self):
        self.things = list(ALL)

    def take(self):
        return self.things.pop()


shelf = Shelf()


def make():
    """Makes what is served."""
    return shelf


def package():
    return catalogue.__name__
