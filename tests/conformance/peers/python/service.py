"""The service of the contract, as a module: any command that serves Python modules can serve it."""

import asyncio
import time

try:
    import gevent
    import zerorpc

    _stream = zerorpc.stream
except ImportError:
    gevent = None

    def _stream(generator):
        return generator


_closed = []
_recorded = []


def echo(x):
    return x


def add(a, b):
    return a + b


@_stream
def count(n):
    for number in range(n):
        yield number


def fail(message):
    raise ValueError(message)


@_stream
def fail_after(n, message):
    for number in range(n):
        yield number
    raise ValueError(message)


if gevent:

    def sleep(seconds):
        gevent.sleep(seconds)
        return seconds

else:

    async def sleep(seconds):
        await asyncio.sleep(seconds)
        return seconds


def burn(seconds):
    end = time.time() + seconds
    while time.time() < end:
        pass
    return seconds


def blob(n):
    return b"\0" * n


@_stream
def forever():
    number = 0
    try:
        while True:
            yield number
            number += 1
    finally:
        _closed.append(True)


def forever_closed():
    return len(_closed)


def record(x):
    _recorded.append(x)


def recorded():
    taken = list(_recorded)
    del _recorded[:]
    return taken
