"""A file whose name is no name in Python."""

from sibling import helper


def hello():
    return helper()


class Desk:
    def open(self):
        return "open"


desk = Desk()
