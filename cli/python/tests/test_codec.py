"""Tests of the codec; run by `python3 -m unittest` and from the tests of the crate."""

import collections
import datetime
import enum
import math
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bridge import codec  # noqa: E402

UTC = datetime.timezone.utc


class Size(enum.IntEnum):
    SMALL = 1


class Colour(str, enum.Enum):
    RED = "red"


class Text(str):
    pass


Point = collections.namedtuple("Point", "x y")


class Bytes(unittest.TestCase):
    """Values and their exact encodings."""

    TABLE = [
        (None, "c0"), (True, "c3"), (False, "c2"),
        (0, "00"), (127, "7f"), (128, "cc80"), (255, "ccff"), (256, "cd0100"), (65535, "cdffff"),
        (65536, "ce00010000"), (2**32 - 1, "ceffffffff"), (2**32, "cf0000000100000000"),
        (2**64 - 1, "cf" + "ff" * 8), (-1, "ff"), (-32, "e0"), (-33, "d0df"), (-128, "d080"),
        (-129, "d1ff7f"), (-32768, "d18000"), (-32769, "d2ffff7fff"), (-2**31, "d280000000"),
        (-2**31 - 1, "d3ffffffff7fffffff"), (-2**63, "d38000000000000000"),
        (1.5, "cb3ff8000000000000"), (math.inf, "cb7ff0000000000000"), (-0.0, "cb8000000000000000"),
        ("", "a0"), ("hi", "a26869"), ("é", "a2c3a9"), ("x" * 32, "d920" + "78" * 32),
        (b"", "c400"), (b"ab", "c4026162"),
        ([], "90"), ([1, [2]], "92019102"), ({}, "80"), ({"a": 1}, "81a16101"), ({1: None}, "8101c0"),
        (codec.ExtType(5, b"a"), "d40561"), (codec.ExtType(-3, b"abc"), "c703fd616263"),
        (codec.ExtType(0, b"ab" * 8), "d800" + "6162" * 8),
        (datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "d6ff00000001"),
        (datetime.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=UTC), "d7ff00000fa000000000"),
        (datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "c70cff00000000ffffffffffffffff"),
    ]

    def test_both_ways(self):
        for value, encoded in self.TABLE:
            with self.subTest(value=value):
                self.assertEqual(codec.pack(value).hex(), encoded)
                self.assertEqual(codec.unpack(bytes.fromhex(encoded)), value)
                self.assertIs(type(codec.unpack(bytes.fromhex(encoded))), type(value))

    def test_long_forms(self):
        for encoded, value in [
            ("ca3fc00000", 1.5), ("d90161", "a"), ("da000161", "a"), ("db0000000161", "a"),
            ("c5000161", b"a"), ("c60000000161", b"a"), ("dc000101", [1]), ("dd0000000101", [1]),
            ("de00010102", {1: 2}), ("df000000010102", {1: 2}), ("d3" + "00" * 7 + "05", 5),
            ("c8000105ff", codec.ExtType(5, b"\xff")), ("c90000000105ff", codec.ExtType(5, b"\xff")),
        ]:
            with self.subTest(encoded=encoded):
                self.assertEqual(codec.unpack(bytes.fromhex(encoded)), value)

    def test_sizes(self):
        for size in (15, 16, 31, 32, 255, 256, 65535, 65536):
            for value in ("x" * size, b"x" * size, [1] * size, {n: n for n in range(size)}):
                self.assertEqual(codec.unpack(bytes(codec.pack(value))), value)

    def test_cut_off_anywhere(self):
        value = ["text", b"bytes", {"key": [1, 300, 70000, 2.5, None]}, codec.ExtType(1, b"abc"), "x" * 300]
        whole = bytes(codec.pack(value))
        for end in range(len(whole)):
            with self.assertRaises(ValueError):
                codec.unpack(whole[:end])
        with self.assertRaisesRegex(ValueError, "followed by more"):
            codec.unpack(whole + b"\0")

    def test_no_marker(self):
        with self.assertRaisesRegex(ValueError, "0xc1"):
            codec.unpack(b"\xc1")


class Values(unittest.TestCase):
    """What does not come back as it was, by design."""

    def round_trip(self, value):
        return codec.unpack(bytes(codec.pack(value)))

    def test_become_plain(self):
        for value, plain in [
            ((1, (2,)), [1, [2]]), (Point(1, 2), [1, 2]), (Size.SMALL, 1), (Colour.RED, "red"),
            (Text("t"), "t"), (bytearray(b"b"), b"b"), (memoryview(b"abcd")[::2], b"ac"),
            (collections.OrderedDict([("b", 1), ("a", 2)]), {"b": 1, "a": 2}),
            (collections.defaultdict(int, a=1), {"a": 1}), (time.gmtime(0), [1970, 1, 1, 0, 0, 0, 3, 1, 0]),
            (datetime.datetime(2020, 1, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
             datetime.datetime(2020, 1, 1, tzinfo=UTC)),
        ]:
            with self.subTest(value=value):
                self.assertEqual(self.round_trip(value), plain)
                self.assertIs(type(self.round_trip(value)), type(plain))

    def test_nan(self):
        self.assertTrue(math.isnan(self.round_trip(math.nan)))

    def test_any_keys(self):
        value = {1: "a", 1.5: "b", None: "c", b"d": "d", (1, (2, 3)): "e", True: "f"}
        self.assertEqual(self.round_trip(value), value)

    def test_map_as_key(self):
        for encoded in ("81" "80" "01", "81" "9180" "01"):
            with self.assertRaisesRegex(TypeError, "key"):
                codec.unpack(bytes.fromhex(encoded))

    def test_datetimes(self):
        for moment in [
            datetime.datetime(1, 1, 1, tzinfo=UTC), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
            datetime.datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC), datetime.datetime(2514, 5, 30, 1, 53, 4, tzinfo=UTC),
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ]:
            self.assertEqual(self.round_trip(moment), moment)

    def test_timestamps_beyond_datetime_stay_extensions(self):
        for body in (b"\0" * 4 + b"\x7f" + b"\xff" * 7, b"\x3b\x9a\xc9\xff" + b"\x80" + b"\0" * 7):
            extension = codec.ExtType(-1, body)
            self.assertEqual(self.round_trip(extension), extension)

    def test_what_is_no_timestamp_is_refused(self):
        for body in (b"", b"abc", b"\0" * 9, b"\xff" * 12, b"\xff" * 8, b"\x3b\x9a\xca\0" + b"\0" * 8):
            encoded = bytes((0xC7, len(body), 0xFF)) + body
            with self.assertRaisesRegex(ValueError, r"a timestamp \(extension type -1\) of \d+ "):
                codec.unpack(encoded)
            with self.assertRaisesRegex(ValueError, r"can not serialize a timestamp .* at result\[0\]"):
                codec.pack([codec.ExtType(-1, body)])

    def test_refused(self):
        for value, error, text in [
            (object(), TypeError, "can not serialize 'object' object"),
            (2**64, OverflowError, "65 bits"), (-2**63 - 1, OverflowError, "64 bits"),
            ("\ud800", UnicodeEncodeError, "surrogates"),
            (datetime.datetime(2020, 1, 1), TypeError, "time zone"),
            (datetime.date(2020, 1, 1), TypeError, "isoformat"),
            (codec.ExtType(200, b""), ValueError, "extension type 200"),
        ]:
            with self.subTest(value=value), self.assertRaisesRegex(error, text):
                codec.pack([value])

    def test_depth(self):
        value = None
        for _ in range(codec.MAX_RESULT_DEPTH):
            value = [value]
        inner, levels = self.round_trip(value), 0
        while inner is not None:
            (inner,), levels = inner, levels + 1
        self.assertEqual(levels, codec.MAX_RESULT_DEPTH)
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.pack([value])
        value.append(value)
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.pack(value)
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.unpack(b"\x91" * 5000 + b"\0")
        with self.assertRaisesRegex(ValueError, "nested"):
            codec.unpack(b"\x81" * 5000 + b"\0")


if __name__ == "__main__":
    unittest.main()
