"""JSON that can hold every MessagePack value.

What JSON lacks is written as an object with a single tagged key: {"$bin": hex}, {"$float": text},
{"$int": text}, {"$ext": [code, hex]}, {"$timestamp": [seconds, nanoseconds]}, {"$map": [[key, value]]}.
"""

import math

import msgpack


def encode(value):
    """The tagged JSON of a value that came from a peer."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bin": bytes(value).hex()}
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else {"$int": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, msgpack.ExtType):
        return {"$ext": [value.code, value.data.hex()]}
    if isinstance(value, msgpack.Timestamp):
        return {"$timestamp": [value.seconds, value.nanoseconds]}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return _encode_map(value)
    raise TypeError("no JSON form for a {0}".format(type(value).__name__))


def _encode_map(value):
    if all(isinstance(key, str) and not key.startswith("$") for key in value):
        return {key: encode(item) for key, item in value.items()}
    return {"$map": [[encode(key), encode(item)] for key, item in value.items()]}


_READERS = {
    "$bin": bytes.fromhex,
    "$float": float,
    "$int": int,
    "$ext": lambda pair: msgpack.ExtType(pair[0], bytes.fromhex(pair[1])),
    "$timestamp": lambda pair: msgpack.Timestamp(*pair),
    "$map": lambda pairs: {decode(key): decode(item) for key, item in pairs},
}


def decode(value):
    """The value that a piece of tagged JSON stands for."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, content),) = value.items()
        if tag in _READERS:
            return _READERS[tag](content)
    return {key: decode(item) for key, item in value.items()}
