"""Values both ways."""

import collections
import datetime
import enum
import time


class Level(enum.IntEnum):
    HIGH = 3


def echo(value):
    """Gives back what it gets."""
    return value


def kind(value):
    """How Python sees a value."""
    return type(value).__name__


def count(*args):
    return len(args)


def named(name):
    """A value that only Python can make."""
    return {
        "tuple": (1, (2,)),
        "bytearray": bytearray(b"ab"),
        "memoryview": memoryview(b"abcd")[::2],
        "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "keys": {1: "a", None: "b", (1, 2): "c", b"d": 1.5},
        "level": Level.HIGH,
        "struct_time": time.gmtime(0),
        "datetime": datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=datetime.timezone.utc),
        "naive": datetime.datetime(1970, 1, 1),
        "date": datetime.date(1970, 1, 1),
        "set": {1},
        "object": object(),
        "big": 2**64,
        "surrogate": "\udc80",
        "exception": ValueError("as a value"),
    }[name]


def deep(levels):
    value = None
    for _ in range(levels):
        value = [value]
    return value


def year_of(moment):
    return moment.year
