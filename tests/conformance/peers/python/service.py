"""The service of the contract, as a module: any command that serves Python modules can serve it."""

import time

try:
    import zerorpc
    from gevent import sleep as _pause

    _stream = zerorpc.stream
except ImportError:
    _pause = time.sleep

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


def sleep(seconds):
    _pause(seconds)
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
