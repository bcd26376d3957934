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
aware datetime           timestamp (ext -1); read back in UTC, whole microseconds
ExtType                  ext; read back as ExtType
subclasses of these      as the type they extend (IntEnum, OrderedDict, namedtuple, struct_time)
anything else            TypeError
=======================  ====================================================================
"""

import collections
import datetime
import itertools
import struct

# How deep an event may nest at the server. Around a result, event and arguments take two levels.
MAX_DEPTH = 512
MAX_RESULT_DEPTH = MAX_DEPTH - 2

TIMESTAMP = -1
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

ExtType = collections.namedtuple("ExtType", "code data")
ExtType.__doc__ = "An extension value: its type code (-128 to 127) and its bytes."

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

def pack(value):
    """The encoding of `value`."""
    out = bytearray()
    append = out.append
    stack = []
    content = iter((value,))
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
                        "can not serialize a value nested more than %d levels deep" % MAX_RESULT_DEPTH
                    )
                # What is left of this container comes after what is inside its element.
                stack.append(content)
                content = _container(out, kind, value)
                break
        else:
            if not stack:
                return out
            content = stack.pop()


def _container(out, kind, value):
    """Writes the head of a container, and gives what it contains; subclasses count as what they extend.

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
        _extension(out, TIMESTAMP, _timestamp(value))
        return iter(())
    return iter((_plain(value),))


def _plain(value):
    """What an instance of a subclass is underneath."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, (list, tuple)):
        return tuple(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    name = type(value).__name__
    hint = ""
    if isinstance(value, (set, frozenset)):
        hint = "; give a list instead, such as sorted(...)"
    elif isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        hint = "; give a datetime with a time zone, or text such as isoformat()"
    raise TypeError("can not serialize %r object%s" % (name, hint))


def _head(size, marker8, marker16, marker32):
    """The marker and length of something too long for a single byte."""
    if size < 0x100 and marker8 is not None:
        return BYTE.pack(marker8, size)
    if size < 0x10000:
        return SHORT.pack(marker16, size)
    if size < 0x100000000:
        return LONG.pack(marker32, size)
    raise ValueError("can not serialize %d bytes or elements in one value; the limit is 2**32 - 1" % size)


def _integer(value):
    if -32 <= value < 0:
        return bytes((value + 256,))
    for lowest, highest, packer, marker in INTEGERS:
        if lowest <= value <= highest:
            return packer(marker, value)
    raise OverflowError("can not serialize an integer of %d bits; 64 are the limit" % value.bit_length())


def _binary(out, value):
    if type(value) is memoryview and not value.c_contiguous:
        value = value.tobytes()
    size = value.nbytes if type(value) is memoryview else len(value)
    out += _head(size, 0xC4, 0xC5, 0xC6)
    out += value


def _extension(out, code, data):
    if not -128 <= code <= 127:
        raise ValueError("can not serialize extension type %r; -128 to 127 are the limits" % code)
    size = len(data)
    if size in (1, 2, 4, 8, 16):
        out.append(0xD3 + size.bit_length())
    else:
        out += _head(size, 0xC7, 0xC8, 0xC9)
    out.append(code & 0xFF)
    out += data


def _timestamp(moment):
    """The bytes of a timestamp: 32 bits where they do, else 64, else 96."""
    if moment.utcoffset() is None:
        raise TypeError(
            "can not serialize a 'datetime' object without a time zone; "
            "use datetime.now(timezone.utc), .astimezone() or .isoformat()"
        )
    since = moment - EPOCH
    seconds = since.days * 86400 + since.seconds
    nanoseconds = since.microseconds * 1000
    if not 0 <= seconds < 1 << 34:
        return struct.pack(">Iq", nanoseconds, seconds)
    if nanoseconds or seconds > 0xFFFFFFFF:
        return struct.pack(">Q", nanoseconds << 34 | seconds)
    return U32.pack(seconds)


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
        return _extended(kind, data[position:position + size]), position + size
    raise ValueError("0x%02x begins no msgpack value" % code)


def _extended(kind, body):
    """A datetime where the timestamp is one that datetime can hold, else the extension as it is."""
    if kind == TIMESTAMP:
        try:
            if len(body) == 4:
                seconds, nanoseconds = U32.unpack(body)[0], 0
            elif len(body) == 8:
                both = struct.unpack(">Q", body)[0]
                seconds, nanoseconds = both & (1 << 34) - 1, both >> 34
            else:
                nanoseconds, seconds = struct.unpack(">Iq", body)
            if nanoseconds < 10**9:
                return EPOCH + datetime.timedelta(seconds=seconds, microseconds=nanoseconds // 1000)
        except (struct.error, OverflowError):
            pass
    return ExtType(kind, body)
