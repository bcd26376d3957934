"""msgpack, both ways, for what Python values can say.

Written for speed without recursion: both directions keep their own stack, so the depth of a value is
bounded by a constant and never by the interpreter.

=======================  ====================================================================
Python                   msgpack
=======================  ====================================================================
None, bool, float        nil, bool, float 64
int                      the shortest int; beyond 64 bits: OverflowError
str                      str; lone surrogates: UnicodeEncodeError
bytes, bytearray,        bin; read back as bytes
memoryview
list, tuple              array; read back as list (as tuple where it is a map key)
dict                     map, keys of any kind
aware datetime           timestamp (ext -1); read back in UTC, with nanoseconds where there are any
                         (`timestamps.py`)
ExtType                  ext; read back as the ExtType of msgpack where that is imported
anything else            what `values.py` knows of it, else TypeError
=======================  ====================================================================
"""

import datetime
import itertools
import struct
import sys

from . import timestamps, values
from .values import ExtType

# How deep an event may nest at the server (`Limits::depth`). Around a result, event and arguments take two levels.
MAX_DEPTH = 512
MAX_RESULT_DEPTH = MAX_DEPTH - 2

U8 = struct.Struct(">B")
U16 = struct.Struct(">H")
U32 = struct.Struct(">I")
BYTE = struct.Struct(">BB")
SHORT = struct.Struct(">BH")
LONG = struct.Struct(">BI")
FLOAT = struct.Struct(">Bd")

# The first format whose range holds the value, of those beyond 16 bits: lowest, highest, writer, marker.
INTEGERS = (
    (0, 0xFFFFFFFF, LONG.pack, 0xCE),
    (0, 0xFFFFFFFFFFFFFFFF, struct.Struct(">BQ").pack, 0xCF),
    (-0x80, -1, struct.Struct(">Bb").pack, 0xD0),
    (-0x8000, -1, struct.Struct(">Bh").pack, 0xD1),
    (-0x80000000, -1, struct.Struct(">Bi").pack, 0xD2),
    (-0x8000000000000000, -1, struct.Struct(">Bq").pack, 0xD3),
)


def pack(value, name="result"):
    """The encoding of `value`; errors tell where in it, unless there is no name for the whole."""
    whole = value
    out = bytearray()
    append = out.append
    stack = []
    content = iter((value,))
    try:
        while True:
            for value in content:
                kind = type(value)
                if kind is str:
                    data = value.encode("utf-8")
                    size = len(data)
                    if size < 32:
                        append(0xA0 | size)
                    else:
                        out += _head(size, 0xD9, 0xDA, 0xDB)
                    out += data
                elif kind is int:
                    if 0 <= value < 0x10000:
                        if value < 128:
                            append(value)
                        else:
                            out += SHORT.pack(0xCD, value) if value > 0xFF else BYTE.pack(0xCC, value)
                    else:
                        out += _integer(value)
                elif kind is float:
                    out += FLOAT.pack(0xCB, value)
                elif value is None:
                    append(0xC0)
                elif kind is bool:
                    append(0xC3 if value else 0xC2)
                elif kind is bytes or kind is bytearray or kind is memoryview:
                    _binary(out, value)
                else:
                    if len(stack) >= MAX_RESULT_DEPTH:
                        raise ValueError(
                            "can not serialize a value nested more than %d levels deep; does it contain itself?"
                            % MAX_RESULT_DEPTH
                        )
                    # What is left of this container comes after what is inside its element.
                    stack.append(content)
                    content = _container(out, kind, value)
                    break
            else:
                if not stack:
                    return out
                content = stack.pop()
    except values.Refused as refused:
        if name is None:
            raise
        raise refused.at(values.locate(whole, name, _fits))
    except UnicodeEncodeError as error:
        if name is None:
            raise
        raise _misplaced(error, values.locate(whole, name, _fits)) from None


def _fits(value):
    """Whether something with nothing inside can be sent."""
    try:
        pack(value, None)
    except (values.Refused, UnicodeEncodeError):
        return False
    return True


def _misplaced(error, place):
    reason = "%s, at %s; send such text as bytes, or decode it with errors='replace'" % (error.reason, place)
    return UnicodeEncodeError(error.encoding, error.object, error.start, error.end, reason)


def _container(out, kind, value):
    """Writes the head of a container, and gives what it contains.

    The content is copied first: another thread may change the container meanwhile.
    """
    if kind is list or kind is tuple:
        items = tuple(value)
        size = len(items)
        if size < 16:
            out.append(0x90 | size)
        else:
            out += _head(size, None, 0xDC, 0xDD)
        return iter(items)
    if kind is dict or isinstance(value, dict):
        pairs = list(value.items())
        size = len(pairs)
        if size < 16:
            out.append(0x80 | size)
        else:
            out += _head(size, None, 0xDE, 0xDF)
        return itertools.chain.from_iterable(pairs)
    if kind is ExtType:
        _extension(out, value.code, value.data)
        return iter(())
    if isinstance(value, datetime.datetime):
        _extension(out, timestamps.CODE, values.timestamp(value))
        return iter(())
    return iter((values.plain(value),))


def _head(size, marker8, marker16, marker32):
    """The marker and length of something too long for a single byte."""
    if size < 0x100 and marker8 is not None:
        return BYTE.pack(marker8, size)
    if size < 0x10000:
        return SHORT.pack(marker16, size)
    if size < 0x100000000:
        return LONG.pack(marker32, size)
    raise values.Refused(
        ValueError, "can not serialize %d bytes or elements in one value" % size, "the limit is 2**32 - 1"
    )


def _integer(value):
    if -32 <= value < 0:
        return bytes((value + 256,))
    for lowest, highest, packer, marker in INTEGERS:
        if lowest <= value <= highest:
            return packer(marker, value)
    raise values.Refused(
        OverflowError,
        "can not serialize an integer of %d bits" % value.bit_length(),
        "64 are the limit: give it as text",
    )


def _binary(out, value):
    if type(value) is memoryview and not value.c_contiguous:
        value = value.tobytes()
    size = value.nbytes if type(value) is memoryview else len(value)
    out += _head(size, 0xC4, 0xC5, 0xC6)
    out += value


def _extension(out, code, data):
    if not -128 <= code <= 127:
        raise values.Refused(
            ValueError, "can not serialize extension type %r" % code, "-128 to 127 are the limits"
        )
    if code == timestamps.CODE:
        try:
            timestamps.decode(data)
        except ValueError as error:
            raise values.Refused(ValueError, "can not serialize %s" % error) from None
    size = len(data)
    if size in (1, 2, 4, 8, 16):
        out.append(0xD3 + size.bit_length())
    else:
        out += _head(size, 0xC7, 0xC8, 0xC9)
    out.append(code & 0xFF)
    out += data


CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
NUMBERS = {
    marker: (form.unpack_from, form.size)
    for marker, form in (
        (0xCA, struct.Struct(">f")),
        (0xCB, struct.Struct(">d")),
        (0xCC, U8),
        (0xCD, U16),
        (0xCE, U32),
        (0xCF, struct.Struct(">Q")),
        (0xD0, struct.Struct(">b")),
        (0xD1, struct.Struct(">h")),
        (0xD2, struct.Struct(">i")),
        (0xD3, struct.Struct(">q")),
    )
}
STRINGS = {0xD9: U8, 0xDA: U16, 0xDB: U32}
BINARIES = {0xC4: U8, 0xC5: U16, 0xC6: U32}
LENGTHS = {0xDC: U16, 0xDD: U32, 0xDE: U16, 0xDF: U32}
EXTENSIONS = {0xC7: U8, 0xC8: U16, 0xC9: U32}


def unpack(data):
    """The one value that `data` (bytes) holds; ValueError when it holds anything else."""
    try:
        value, end = _unpack(data)
    except (IndexError, struct.error):
        raise ValueError("the msgpack value is cut off") from None
    if end != len(data):
        raise ValueError("the msgpack value is %s" % ("cut off" if end > len(data) else "followed by more"))
    return value


def _unpack(data):
    """The value at the start of `data`, and where it ends; short slices show as an end beyond the data."""
    position = 0
    stack = []
    # The container being filled: its elements so far (keys and values alike), how many are missing, whether
    # it is a map.
    items, missing, is_map = [], 1, False
    while True:
        code = data[position]
        position += 1
        if code < 0x80:
            items.append(code)
        elif 0xA0 <= code < 0xC0:
            end = position + (code & 31)
            items.append(data[position:end].decode("utf-8"))
            position = end
        elif code >= 0xE0:
            items.append(code - 256)
        elif code in NUMBERS:
            read, size = NUMBERS[code]
            items.append(read(data, position)[0])
            position += size
        elif code in CONSTANTS:
            items.append(CONSTANTS[code])
        elif code < 0xA0 or code >= 0xDC:
            if len(stack) >= MAX_DEPTH:
                raise ValueError("the msgpack value is nested more than %d levels deep" % MAX_DEPTH)
            stack.append((items, missing, is_map))
            if code < 0xA0:
                size, is_map = code & 15, code < 0x90
            else:
                is_map = code >= 0xDE
                size, position = _length(data, 0, LENGTHS[code], position)
            # One more, for the container itself is counted below like any other element.
            items, missing = [], (2 * size if is_map else size) + 1
        else:
            value, position = _blob(data, code, position)
            items.append(value)
        missing -= 1
        while not missing:
            if not stack:
                return items[0], position
            value = _map(items) if is_map else items
            items, missing, is_map = stack.pop()
            items.append(value)
            missing -= 1


def _map(items):
    keys = items[0::2]
    values = items[1::2]
    try:
        return dict(zip(keys, values))
    except TypeError:
        return dict(zip(map(_key, keys), values))


def _key(key):
    """A map key that Python can hash: arrays become tuples."""
    stack = [key] if type(key) is list else []
    containers = []
    while stack:
        container = stack.pop()
        containers.append(container)
        stack.extend(item for item in container if type(item) is list)
    frozen = {}
    for container in reversed(containers):
        frozen[id(container)] = tuple(frozen[id(i)] if type(i) is list else i for i in container)
    key = frozen.get(id(key), key)
    try:
        hash(key)
    except TypeError:
        raise TypeError("a map can not be the key of a Python dict") from None
    return key


def _length(data, short, form, position):
    if form is None:
        return short, position
    return form.unpack_from(data, position)[0], position + form.size


def _blob(data, code, position):
    """A str, bin or ext with a length of its own, and where it ends."""
    if code in STRINGS:
        size, position = _length(data, 0, STRINGS[code], position)
        return str(memoryview(data)[position:position + size], "utf-8"), position + size
    if code in BINARIES:
        size, position = _length(data, 0, BINARIES[code], position)
        return data[position:position + size], position + size
    if code in EXTENSIONS or 0xD4 <= code <= 0xD8:
        short = 1 << (code & 15) - 4
        size, position = _length(data, short, EXTENSIONS.get(code), position)
        kind = data[position]
        position += 1
        kind = kind - 256 if kind > 127 else kind
        body = data[position:position + size]
        if len(body) < size:
            raise IndexError
        return _extended(kind, body), position + size
    raise ValueError("0x%02x begins no msgpack value" % code)


def _extended(kind, body):
    """A datetime where it can hold the timestamp; else what msgpack has for that, if it is imported."""
    if kind == timestamps.CODE:
        seconds, nanoseconds = timestamps.decode(body)
        try:
            return timestamps.moment_of(seconds, nanoseconds)
        except OverflowError:
            Timestamp = _of_msgpack("Timestamp")
            return ExtType(kind, body) if Timestamp is None else Timestamp(seconds, nanoseconds)
    # The package allows no negative codes.
    Extension = _of_msgpack("ExtType") if kind >= 0 else None
    return (Extension or ExtType)(kind, body)


def _of_msgpack(name):
    """A class of the package msgpack; None while nobody has imported that."""
    found = getattr(sys.modules.get("msgpack"), name, None)
    return found if isinstance(found, type) else None
