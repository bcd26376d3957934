"""Tests of what values become; run by `python3 -m unittest` and from the tests of the crate.

Those of packages that are not installed are skipped.
"""

import array
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import importlib
import itertools
import os
import pathlib
import pickle
import sys
import types
import typing
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bridge import codec, timestamps  # noqa: E402

UTC = datetime.timezone.utc


def package(name):
    """A package, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def needs(*names):
    missing = [name for name in names if package(name) is None]
    return unittest.skipIf(missing, "not installed: %s" % ", ".join(missing))


class Colour(enum.Enum):
    RED = "red"
    MIXED = (1, 2)


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Text(str, enum.Enum):
    ONE = "one"


@dataclasses.dataclass
class Point:
    x: int
    y: typing.Any = None
    made: typing.ClassVar[int] = 0
    start: dataclasses.InitVar[int] = 0


@dataclasses.dataclass(frozen=True)
class Frozen:
    n: int


class Halves(collections.abc.Mapping):
    """A map that was made by hand."""

    def __getitem__(self, key):
        return key / 2

    def __iter__(self):
        return iter((2, 4))

    def __len__(self):
        return 2


class Broken(Halves):
    def __getitem__(self, key):
        raise LookupError("nothing\nhere")


class Endless(collections.abc.Sequence):
    """Contains itself."""

    def __getitem__(self, index):
        if index:
            raise IndexError
        return self

    def __len__(self):
        return 1


class Case(unittest.TestCase):
    def becomes(self, value, expected):
        with self.subTest(value=value):
            found = codec.unpack(bytes(codec.pack(value)))
            self.assertEqual(found, expected)
            self.assertIs(type(found), type(expected))

    def refused(self, value, error, *texts):
        with self.subTest(value=value), self.assertRaises(error) as caught:
            codec.pack(value)
        for text in texts:
            self.assertIn(text, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))


class Standard(Case):
    """Types of the standard library, and those that programs make."""

    def test_become(self):
        for value, expected in [
            (Colour.RED, "red"), (Colour.MIXED, [1, 2]), (Right.READ | Right.WRITE, 3), (Text.ONE, "one"),
            (decimal.Decimal("1.10"), "1.10"), (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (pathlib.PurePosixPath("/a/b"), "/a/b"), (pathlib.Path("a"), "a"),
            (Point(1, Point(2, {3})), {"x": 1, "y": {"x": 2, "y": [3]}}),
            (types.MappingProxyType({"a": 1}), {"a": 1}), (collections.UserDict(a=1), {"a": 1}),
            (collections.ChainMap({"a": 1}, {"b": 2}), {"a": 1, "b": 2}), (Halves(), {2: 1.0, 4: 2.0}),
            (collections.deque([1, 2]), [1, 2]), (collections.UserList([1]), [1]), (range(3), [0, 1, 2]),
            (collections.UserString("s"), "s"), (array.array("i", [1]), [1]), ({"b": 1, "a": 2}.keys(), ["b", "a"]),
            ({1: 2}.values(), [2]), ({1: 2}.items(), [[1, 2]]),
            ({Colour.RED: {uuid.UUID(int=1): decimal.Decimal(1)}},
             {"red": {"00000000-0000-0000-0000-000000000001": "1"}}),
        ]:
            self.becomes(value, expected)

    def test_sets_have_an_order(self):
        for value, expected in [
            (set(), []), ({3, 1, 2}, [1, 2, 3]), (frozenset("hello"), ["e", "h", "l", "o"]),
            ({2.5, 1, "a", None, "B"}, [None, 2.5, 1, "B", "a"]), ({Colour.RED, Colour.MIXED}, [[1, 2], "red"]),
            ({Frozen(3), Frozen(2)}, [{"n": 2}, {"n": 3}]), ({frozenset((1,))}, [[1]]),
        ]:
            self.becomes(value, expected)

    def test_nothing_is_endless(self):
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.pack(Endless())
        point = Point(1)
        point.y = [point]
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.pack(point)
        deep = None
        for _ in range(5000):
            deep = Point(1, deep)
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.pack(deep)

    def test_fields_that_are_missing(self):
        point = Point(1)
        del point.x
        point.__class__ = Point
        self.refused([point], TypeError, "can not serialize 'Point' object", "AttributeError", "at result[0]")


class Refusals(Case):
    """Where something can't be sent, what it is, and what to do."""

    def test_places(self):
        thing = object()
        for value, place in [
            (thing, " at result;"), ([1, thing], " at result[1];"), ((1, [thing]), " at result[1][0];"),
            ([0, 1, 2, {"rows": [thing]}], " at result[3]['rows'][0];"), ({"a": {2: thing}}, " at result['a'][2];"),
            ({thing: 1}, " at a key of result;"), ([{(1, (thing,)): 1}], " at a key of result[0];"),
            ({"p": Point(1, [thing])}, " at result['p'].y[0];"), (collections.UserDict(a=thing), " at result['a'];"),
            (collections.OrderedDict(a=thing), " at result['a'];"), (collections.deque([thing]), " at result[0];"),
            ({"k" * 100: thing}, " at result['%s...];" % ("k" * 59)),
        ]:
            self.refused(value, TypeError, "can not serialize 'object' object" + place)
        self.refused([2**64], OverflowError, "65 bits at result[0]; 64 are the limit")
        self.refused({"t": "\udc80"}, UnicodeEncodeError, "surrogates not allowed, at result['t']; ")
        with self.assertRaisesRegex(TypeError, r" at item\[0\];"):
            codec.pack([thing], "item")

    def test_a_long_path_is_cut(self):
        value = object()
        for _ in range(400):
            value = [value]
        self.refused(value, TypeError, " at result%s ... %s;" % ("[0]" * 11, "[0]" * 12))

    def test_kinds_and_advice(self):
        for value, texts in [
            (datetime.date(2020, 1, 1), ("can not serialize 'date' object (datetime.date) at result", "isoformat()")),
            (datetime.timedelta(1), ("'timedelta' object (datetime.timedelta)", "isoformat()")),
            (datetime.datetime(2020, 1, 1), ("can not serialize a 'datetime' object without a time zone at result",)),
            (iter([]), ("'list_iterator' object at result", "list(...)")),
            (itertools.count(), ("'count' object (itertools.count)", "list(...)")),
            (ValueError("x"), ("can not serialize 'ValueError' object at", "str(...)")),
            (types.SimpleNamespace(), ("'SimpleNamespace' object (types.SimpleNamespace)", "dataclass")),
            (Point, ("'type' object", "give None, numbers")), (1j, ("'complex' object",)),
            (Broken(), ("'Broken' object", "(LookupError: nothing here)")),
        ]:
            self.refused(value, TypeError, *texts)

    def test_the_cause_of_a_conversion_that_failed_is_kept(self):
        with self.assertRaises(TypeError) as caught:
            codec.pack([Broken()])
        self.assertIsInstance(caught.exception.__cause__, LookupError)

    def test_a_time_zone_that_fails(self):
        class Zone(datetime.tzinfo):
            def utcoffset(self, moment):
                raise RuntimeError("nowhere")

        self.refused(datetime.datetime(2020, 1, 1, tzinfo=Zone()), TypeError, "time zone works")


class Moments(Case):
    """Datetimes with nanoseconds."""

    ENCODED = bytes.fromhex("d7ff" + "%016x" % (5 << 34 | 1))

    def setUp(self):
        self.moment = codec.unpack(self.ENCODED)

    def test_survive(self):
        self.assertIsInstance(self.moment, datetime.datetime)
        self.assertEqual((self.moment.second, self.moment.microsecond, self.moment.nanosecond), (1, 0, 5))
        self.assertEqual(codec.pack(self.moment), self.ENCODED)
        for moment in (copy.copy(self.moment), copy.deepcopy([self.moment])[0], self.moment.replace(tzinfo=UTC),
                       self.moment.astimezone(datetime.timezone(datetime.timedelta(hours=2))),
                       self.moment + datetime.timedelta(1) - datetime.timedelta(1),
                       datetime.timedelta(1) + self.moment - datetime.timedelta(1)):
            self.assertEqual(codec.pack(moment), self.ENCODED)
        for body in ("00000001" "ffffffffffffffff", "3b9ac9ff" "fffffff1868b8400"):
            encoded = bytes.fromhex("c70cff" + body)
            self.assertEqual(codec.pack(codec.unpack(encoded)), encoded)

    def test_without_nanoseconds_it_is_a_plain_datetime(self):
        self.assertIs(type(codec.unpack(bytes.fromhex("d7ff" + "%016x" % (1000 << 34 | 1)))), datetime.datetime)

    def test_pickled_it_is_a_plain_datetime(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            found = pickle.loads(pickle.dumps(self.moment, protocol))
            self.assertIs(type(found), datetime.datetime)
            self.assertEqual(found, self.moment.replace(nanosecond=0))

    def test_compare(self):
        plain = self.moment.plain()
        later = self.moment.replace(nanosecond=6)
        self.assertLess(plain, self.moment)
        self.assertLess(self.moment, later)
        self.assertGreaterEqual(later, plain)
        self.assertLessEqual(self.moment, self.moment)
        self.assertGreater(later, plain)
        self.assertNotEqual(plain, self.moment)
        self.assertEqual(plain, self.moment.replace(nanosecond=0))
        self.assertEqual(hash(plain), hash(self.moment.replace(nanosecond=0)))
        self.assertNotEqual(self.moment, "text")
        self.assertLess(self.moment, plain + datetime.timedelta(1))
        self.assertEqual(self.moment - plain, datetime.timedelta(0))
        with self.assertRaises(TypeError):
            self.moment < 5
        with self.assertRaises(TypeError):
            self.moment + 5

    def test_shows_them(self):
        self.assertTrue(repr(self.moment).endswith("tzinfo=datetime.timezone.utc, nanosecond=5)"), repr(self.moment))
        with self.assertRaises(ValueError):
            timestamps.PreciseDatetime(2020, 1, 1, nanosecond=1000)


@needs("numpy")
class Numpy(Case):
    def test_become(self):
        numpy = package("numpy")
        structured = numpy.array([(1, 2.5)], dtype=[("a", int), ("b", float)])
        for value, expected in [
            (numpy.int64(7), 7), (numpy.uint64(2**64 - 1), 2**64 - 1), (numpy.bool_(True), True),
            (numpy.float32(1.5), 1.5), (numpy.float64(2.5), 2.5), (numpy.longdouble(1.5), 1.5),
            (numpy.str_("s"), "s"), (numpy.bytes_(b"b"), b"b"), (numpy.array(5), 5),
            (numpy.arange(6).reshape(2, 3), [[0, 1, 2], [3, 4, 5]]), (numpy.array(["a"]), ["a"]),
            (numpy.array([1.5], dtype=numpy.longdouble), [1.5]), (structured, [[1, 2.5]]), (structured[0], [1, 2.5]),
            (numpy.array([1, None, {2}], dtype=object), [1, None, [2]]),
            (numpy.ma.array([1, 2], mask=[False, True]), [1, None]),
            ({numpy.int64(1): [numpy.float32(0.5)]}, {1: [0.5]}),
        ]:
            self.becomes(value, expected)

    def test_refused(self):
        numpy = package("numpy")
        mixed = numpy.array([(1, "2020-01-01")], dtype=[("a", int), ("b", "M8[ns]", (1,))])
        for value, texts in [
            (numpy.datetime64("2020-01-01"), ("'datetime64' object (numpy.datetime64) of datetime64[D] at result",)),
            (numpy.array(["2020-01-01"], dtype="M8[ns]"), ("'ndarray' object (numpy.ndarray) of datetime64[ns]",)),
            (mixed, ("'ndarray' object (numpy.ndarray) of [",)), (mixed[0], ("'void' object (numpy.void) of [",)),
            (numpy.array([1j]), ("'complex' object at result[0]",)),
            ([numpy.array([1, {"x": object()}], dtype=object)], ("'object' object at result[0][1]['x']",)),
        ]:
            self.refused(value, TypeError, *texts)


@needs("pandas")
class Pandas(Case):
    def test_values(self):
        pandas = package("pandas")
        self.assertEqual(codec.pack(pandas.Timestamp(10**9 + 5, tz="UTC")), Moments.ENCODED)
        self.assertEqual(codec.pack(pandas.Timestamp(10**9 + 5, tz="Europe/Berlin")), Moments.ENCODED)
        self.refused([{"when": pandas.NaT}], TypeError, "'NaTType' object (pandas.", " at result[0]['when']; give None")
        self.refused(pandas.NA, TypeError, "'NAType' object (pandas.", "give None")
        self.refused(pandas.Timestamp(0), TypeError, "'Timestamp' object without a time zone")
        self.refused(pandas.Series([1]), TypeError, "'Series' object (pandas.", ".tolist()")
        self.refused(pandas.DataFrame(), TypeError, "'DataFrame' object (pandas.", ".to_dict('records')")


class Objects(Case):
    """Objects of classes that declare their fields by a package."""

    @needs("attr")
    def test_attrs(self):
        attr = package("attr")
        made = attr.make_class("Made", ["x", "_y"])
        self.becomes(made(1, [made(2, 3)]), {"x": 1, "_y": [{"x": 2, "_y": 3}]})
        slotted = attr.make_class("Slotted", ["x"], slots=True, frozen=True)
        self.becomes(slotted({1}), {"x": [1]})
        self.refused(slotted(object()), TypeError, " at result.x;")

    @needs("pydantic")
    def test_pydantic(self):
        pydantic = package("pydantic")
        old = package("pydantic.v1") or pydantic
        self.check_pydantic(old.BaseModel, old.Field)
        if old is not pydantic:
            self.check_pydantic(pydantic.BaseModel, pydantic.Field)
            root = type("Root", (pydantic.RootModel,), {"__annotations__": {"root": list}})
            self.becomes(root([{1}]), [[1]])
            self.refused({"p": pydantic.SecretStr("s")}, TypeError, "SecretStr", " at result['p'];")
        root = type("Root", (old.BaseModel,), {"__annotations__": {"__root__": list}})
        self.becomes(root(__root__=[{1}]), [[1]])

    def check_pydantic(self, Model, Field):
        annotations = {"u": uuid.UUID, "s": set, "hidden": int, "any": typing.Any}
        made = type("Made", (Model,), {"__annotations__": annotations, "hidden": Field(1, exclude=True), "any": None})
        one = made(u=uuid.UUID(int=1), s={1})
        expected = {"u": str(uuid.UUID(int=1)), "s": [1], "any": None}
        self.becomes(one, expected)
        self.becomes([made(u=one.u, s={2}, any=[one])], [dict(expected, s=[2], any=[expected])])
        self.refused(made(u=one.u, s=set(), any=[object()]), TypeError, " at result.any[0];")


@needs("msgpack")
class Msgpack(Case):
    def test_extensions(self):
        msgpack = package("msgpack")
        found = codec.unpack(bytes(codec.pack(msgpack.ExtType(5, b"abc"))))
        self.assertIsInstance(found, msgpack.ExtType)
        self.assertEqual(found, msgpack.ExtType(5, b"abc"))
        # The package knows of no negative codes.
        self.assertIs(type(codec.unpack(bytes(codec.pack(codec.ExtType(-3, b"a"))))), codec.ExtType)

    def test_timestamps(self):
        msgpack = package("msgpack")
        if not hasattr(msgpack, "Timestamp"):
            self.skipTest("is older than its timestamps")
        self.assertEqual(codec.pack(msgpack.Timestamp(1, 5)), Moments.ENCODED)
        self.becomes(msgpack.Timestamp(1, 0), datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
        self.becomes(msgpack.Timestamp(2**60, 5), msgpack.Timestamp(2**60, 5))
        self.refused([msgpack.Timestamp(2**70, 5)], ValueError, "1180591620717411303424 seconds", "at result[0]")

    def test_without_the_package(self):
        hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == "msgpack"}
        self.addCleanup(sys.modules.update, hidden)
        self.assertIs(type(codec.unpack(b"\xd4\x05a")), codec.ExtType)


if __name__ == "__main__":
    unittest.main()
