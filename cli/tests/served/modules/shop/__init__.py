"""A package."""

from .catalogue import items


def first():
    return items.ALL[0]
