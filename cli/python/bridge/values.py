"""What the values that Python programs make are as plain ones, and why others can't be sent.

Nothing here is for plain values: `codec.py` writes those without asking. None of the packages whose
types are known here is imported: who has such a value has imported it.
"""

import collections
import collections.abc as abstract
import datetime
import enum
import sys

from . import timestamps

ExtType = collections.namedtuple("ExtType", "code data")
ExtType.__doc__ = "An extension value: its type code (-128 to 127) and its bytes."

# What `codec.py` writes as it is, and what has nothing inside.
SCALARS = frozenset((type(None), bool, int, float, str, bytes, bytearray, memoryview, ExtType))

# What is shown of a key, and how many steps of a long path from either end. Not measured: a line or two of an error.
KEY_LENGTH = 60
STEPS = 12


class Refused(Exception):
    """A value that can't be sent: the class of the error to raise, what is wrong, and what to do about it."""

    def __init__(self, kind, what, advice="", cause=None):
        super().__init__(what)
        self.kind = kind
        self.what = what
        self.advice = advice
        self.cause = cause

    def at(self, place):
        """The error to raise."""
        error = self.kind("%s at %s%s" % (self.what, place, "; " + self.advice if self.advice else ""))
        error.__cause__ = self.cause
        return error


def plain(value):
    """What stands for `value`: one step nearer to plain values. `Refused` when nothing does."""
    try:
        if isinstance(value, enum.Enum):
            return value.value
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, (bytes, bytearray)):
            return bytes(value)
        return _convert(value)
    except Refused:
        raise
    except Exception as error:
        reason = " ".join(("%s: %s" % (type(error).__name__, error)).split())
        raise Refused(TypeError, "%s (%s)" % (_cannot(value), reason), cause=error) from None


def _convert(value):
    kind = type(value)
    for base in kind.__mro__:
        converter = KNOWN.get((base.__module__, base.__name__))
        if converter is not None:
            return converter(value)
    if isinstance(value, (list, tuple)):
        return tuple(value)
    names = _fields(kind)
    if names is not None:
        return {name: getattr(value, name) for name in names}
    if isinstance(value, (set, frozenset)):
        return _in_order(value)
    if isinstance(value, abstract.Mapping):
        return dict(value.items())
    if isinstance(value, (abstract.Sequence, abstract.MappingView)):
        return list(value)
    raise Refused(TypeError, _cannot(value), _advice(value))


def _fields(kind):
    """The names of the fields that a class declares, in order; None for a class that does not."""
    declared = getattr(kind, "__dataclass_fields__", None)
    if isinstance(declared, dict):
        return [field.name for field in sys.modules["dataclasses"].fields(kind)]
    declared = getattr(kind, "__attrs_attrs__", None)
    if isinstance(declared, tuple):
        return [attribute.name for attribute in declared]
    declared = getattr(kind, "__struct_fields__", None)
    return declared if isinstance(declared, tuple) else None


def _in_order(items):
    """The elements of a set, the same every time as far as they can tell how."""
    items = list(items)
    for key in (None, lambda item: (type(item).__name__, item), lambda item: (type(item).__name__, repr(item))):
        try:
            return sorted(items, key=key)
        except Exception:
            continue
    return items


def _numpy_scalar(value):
    _without_dates(value)
    item = value.item()
    # A long double gives itself.
    return float(item) if type(item) is type(value) else item


def _numpy_array(value):
    _without_dates(value)
    return value.tolist()


def _without_dates(value):
    """Refuses what numpy would turn into bare numbers, or into datetimes without a time zone."""
    inside = [value.dtype]
    while inside:
        dtype = inside.pop()
        if dtype.kind in "mM":
            what = "%s of %s" % (_cannot(value), value.dtype)
            raise Refused(TypeError, what, "give text, such as .astype(str), or datetimes with a time zone")
        if dtype.subdtype is not None:
            inside.append(dtype.subdtype[0])
        inside.extend(field[0] for field in (dtype.fields or {}).values())


def _pydantic(value):
    # It knows best which fields are for others.
    if hasattr(type(value), "model_dump"):
        return value.model_dump()
    fields = value.dict()
    return fields["__root__"] if list(fields) == ["__root__"] else fields


def _extension(value):
    return ExtType(value.code, value.data)


def _timestamp(value):
    seconds, nanoseconds = value.seconds, value.nanoseconds
    if not (0 <= nanoseconds < timestamps.BILLION and -1 << 63 <= seconds < 1 << 63):
        raise Refused(
            ValueError,
            "can not serialize a timestamp of %d seconds and %d nanoseconds" % (seconds, nanoseconds),
            "64 bits and 999999999 are the limits",
        )
    return ExtType(timestamps.CODE, timestamps.encode(seconds, nanoseconds))


# By module and name, for classes and all that extend them.
KNOWN = {
    ("decimal", "Decimal"): str,
    ("uuid", "UUID"): str,
    ("pathlib", "PurePath"): str,
    ("pathlib._local", "PurePath"): str,
    ("collections", "UserString"): str,
    ("array", "array"): list,
    ("numpy", "generic"): _numpy_scalar,
    ("numpy", "ndarray"): _numpy_array,
    ("pydantic.main", "BaseModel"): _pydantic,
    ("pydantic.v1.main", "BaseModel"): _pydantic,
    ("msgpack", "ExtType"): _extension,
    ("msgpack.ext", "ExtType"): _extension,
    ("msgpack.ext", "Timestamp"): _timestamp,
}


def timestamp(moment):
    """The bytes of the timestamp that stands for a datetime."""
    try:
        offset = moment.utcoffset()
    except Exception:
        # Such as the NaT of pandas, which is a datetime that is none.
        raise Refused(TypeError, _cannot(moment), _advice(moment)) from None
    if offset is None:
        raise Refused(
            TypeError,
            "can not serialize a %r object without a time zone" % type(moment).__name__,
            "use datetime.now(timezone.utc), .astimezone() or .isoformat()",
        )
    return timestamps.encode(*timestamps.since_epoch(moment))


def _cannot(value):
    return "can not serialize %r object%s" % (type(value).__name__, _full_name(value))


def _full_name(value):
    """A type with its module in parentheses; nothing for types that everybody knows."""
    kind = type(value)
    return "" if kind.__module__ == "builtins" else " (%s.%s)" % (kind.__module__, kind.__qualname__)


def _advice(value):
    kind = type(value)
    if str(kind.__module__).partition(".")[0] == "pandas":
        advice = ADVICE_ON_PANDAS.get(kind.__name__)
        if advice is not None:
            return advice
    if isinstance(value, datetime.datetime):
        return "give None, or a datetime whose time zone works"
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return "give a datetime with a time zone, or text such as isoformat()"
    if isinstance(value, BaseException):
        return "give text, such as str(...), or raise it"
    if hasattr(kind, "__next__"):
        return "give a list instead, such as list(...)"
    if hasattr(kind, "__await__") or hasattr(kind, "__anext__"):
        return "await it first"
    if hasattr(value, "__dict__") and not isinstance(value, type) and not callable(value):
        return "give a dict of what callers need, or make its class a dataclass"
    return "give None, numbers, text, bytes, or lists and dicts of these"


ADVICE_ON_PANDAS = {
    "NaTType": "give None instead",
    "NAType": "give None instead",
    "DataFrame": "give a list of dicts instead: .to_dict('records')",
    "Series": "give a list or a dict instead: .tolist() or .to_dict()",
    "Timedelta": "give a number such as .total_seconds(), or text such as isoformat()",
}


# Stands in a path for the keys of a map.
KEY = object()


def locate(value, name, fits):
    """The path to the first thing in `value` that can't be sent: `result[3]['rows'][0]`.

    Walks through the value once more. `fits` tells of a thing with nothing inside whether it can be sent.
    """
    trail, levels = [], [iter([(name, value)])]
    while levels:
        for step, child in levels[-1]:
            inside = _inside(child)
            if inside is not None:
                trail.append(step)
                levels.append(inside)
                break
            if not fits(child):
                return _path(trail + [step])
        else:
            levels.pop()
            del trail[-1:]
    # Another thread has changed it meanwhile.
    return name


def _inside(value):
    """The steps into a value, with what is there; None when there is nothing inside."""
    step = _item
    # Each step brings it nearer to a plain value; what needs more of them leads nowhere.
    for _ in range(8):
        kind = type(value)
        if kind in SCALARS or isinstance(value, datetime.datetime):
            return None
        if kind is list or kind is tuple:
            return (("[%d]" % index, item) for index, item in enumerate(tuple(value)))
        if isinstance(value, dict):
            return _entries(list(value.items()), step)
        if not isinstance(value, abstract.Mapping):
            step = _attribute
        try:
            value = plain(value)
        except Refused:
            return None
    return None


def _entries(pairs, step):
    for key, value in pairs:
        yield KEY, key
        yield step(key), value


def _attribute(name):
    return ".%s" % name


def _item(key):
    try:
        text = repr(key)
    except Exception:
        text = "..."
    return "[%s]" % (text if len(text) <= KEY_LENGTH else text[:KEY_LENGTH] + "...")


def _path(steps):
    prefix = ""
    if KEY in steps:
        steps = steps[:steps.index(KEY)]
        prefix = "a key of "
    if len(steps) > 2 * STEPS:
        steps = steps[:STEPS] + [" ... "] + steps[-STEPS:]
    return prefix + "".join(steps)
