"""What the standard library makes."""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import pathlib
import types
import uuid


@dataclasses.dataclass
class Point:
    x: int
    y: float = 0.5
    tags: list = dataclasses.field(default_factory=list)


class Color(enum.Enum):
    RED = "red"
    BLUE = (0, 0, 255)


class Level(enum.IntEnum):
    HIGH = 3


class Bits(enum.Flag):
    A = 1
    B = 2


Pair = collections.namedtuple("Pair", "a b")


class Thing:
    pass


UTC = datetime.timezone.utc
VALUES = {
    "dataclass": Point(1, 2.5, [Point(3)]),
    "enum": Color.RED,
    "enum_of_tuple": Color.BLUE,
    "int_enum": Level.HIGH,
    "flag": Bits.A | Bits.B,
    "set": {7},
    "frozenset": frozenset([7]),
    "sets_in_map": {"a": {1}, "b": [frozenset()]},
    "uuid": uuid.UUID("12345678-1234-5678-1234-567812345678"),
    "path": pathlib.Path("/tmp/file.txt"),
    "pure_path": pathlib.PurePosixPath("a/b"),
    "decimal": decimal.Decimal("1.10"),
    "namedtuple": Pair(1, "b"),
    "map_of_all": {"point": Point(1), "color": Color.RED, "id": uuid.UUID(int=1)},
    "tuple_of_all": (Level.HIGH, decimal.Decimal("NaN"), {Color.RED}),
    "mapping": collections.ChainMap({"a": 1}),
    "deque": collections.deque([1, 2]),
    "range": [0, 1],
}
REFUSED = {
    "object": {"a": [{"b": Thing()}]},
    "function": [len],
    "exception": {"error": ValueError("x")},
    "module": (types,),
    "naive": [datetime.datetime(2020, 1, 1)],
    "big": {"n": [2**70]},
    "text": ["\udc80"],
}


def get(name):
    return VALUES[name]


def stream(name):
    yield VALUES[name]


async def later(name):
    return VALUES[name]


def refused(name):
    return REFUSED[name]


def refused_item(name):
    yield 1
    yield REFUSED[name]


def kind(value):
    return type(value).__name__


def echo(value):
    return value
