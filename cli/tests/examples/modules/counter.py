"""What the example `streaming` serves, in Python."""
import itertools


class Liftoff(Exception):
    pass


def count(to):
    yield from range(to)


def forever():
    yield from itertools.count()


def countdown(start):
    yield from range(start, 0, -1)
    raise Liftoff("nobody counts any further")
