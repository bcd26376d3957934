"""What numpy, pandas, pydantic, attrs and msgpack make."""

import datetime

import attr
import msgpack
import numpy
import pandas
import pydantic


class Model(pydantic.BaseModel):
    a: int
    b: list = []


@attr.s(auto_attribs=True)
class Attrs:
    x: int
    y: str = "y"


VALUES = {
    "int64": numpy.int64(7),
    "uint8": numpy.uint8(255),
    "float32": numpy.float32(0.5),
    "float64": numpy.float64(0.1),
    "bool": numpy.bool_(True),
    "str": numpy.str_("text"),
    "bytes": numpy.bytes_(b"raw"),
    "array": numpy.arange(6).reshape(2, 3),
    "empty": numpy.zeros((0, 3)),
    "scalar_array": numpy.array(5),
    "bools": numpy.array([True, False]),
    "texts": numpy.array(["a", "bc"]),
    "transposed": numpy.arange(4).reshape(2, 2).T,
    "sliced": numpy.arange(10)[::3],
    "in_map": {"mean": numpy.mean([1, 2]), "n": [numpy.int8(-1)], numpy.str_("k"): None},
    "pydantic": Model(a=1, b=[Model(a=2)]),
    "attrs": Attrs(1),
    "objects": numpy.array([1, "a", None], dtype=object),
    "timestamp": pandas.Timestamp("1970-01-01T00:00:01Z"),
    "ext": msgpack.ExtType(5, b"abc"),
    "msgpack_timestamp": msgpack.Timestamp(1, 5),
}
REFUSED = {
    "nat": {"rows": [{"when": pandas.NaT}]},
    "objects": [numpy.array([1, object()], dtype=object)],
    "frame": {"frame": pandas.DataFrame({"a": [1]})},
    "deep": [{"a": 1}, {"a": [{"b": (1, {"c": complex(1, 2)})}]}],
    "numpy_time": [numpy.datetime64("NaT")],
}


def get(name):
    return VALUES[name]


def stream(name):
    yield VALUES[name]


def refused(name):
    return REFUSED[name]


def is_ext(x):
    return isinstance(x, msgpack.ExtType)


def is_timestamp(x):
    return [type(x).__name__, isinstance(x, datetime.datetime)]


def echo(x):
    return x


def square(x):
    return [x * x, type(x).__name__]
