"""Methods that fail."""

import sys

import zerorpc


class Odd(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def value_error(text):
    raise ValueError(text)


def key_error():
    return {}["missing"]


def chained():
    try:
        key_error()
    except KeyError as error:
        raise RuntimeError("outer") from error


def odd():
    raise Odd


def leave():
    sys.exit(3)


def interrupt():
    raise KeyboardInterrupt


def surrogates():
    raise ValueError("bad \udc80 text")


def remote():
    raise zerorpc.RemoteError("Far", "away", None)


def recurse():
    return recurse()


def two(first, second=2):
    return [first, second]


async def late(text):
    raise LookupError(text)


def _private():
    return "secret"


not_callable = 5
