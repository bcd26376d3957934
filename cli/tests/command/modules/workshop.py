"""What the tests of the command call."""

import asyncio
import os
import threading
import time

import zerorpc

print("printed while importing")

gate = threading.Event()
closed = threading.Event()
lock = threading.Lock()
inside = most = 0


def echo(value):
    """Gives back what it gets.

    Whatever that is.
    """
    return value


def args(*values):
    return values


def blob(size):
    return b"x" * size


def documented(a, b=2, c="text"):
    """Three parameters."""
    return [a, b, c]


def undocumented():
    pass


def fail(text):
    """Raises."""
    raise ValueError(text)


def speak(text):
    """Prints."""
    print("said", text)
    return text


async def later(value):
    """Comes in a moment."""
    await asyncio.sleep(0.001)
    return value


def numbers(n):
    """Counts."""
    yield from range(n)


@zerorpc.stream
def marked(n):
    return list(range(n))


async def async_numbers(n):
    for number in range(n):
        yield number


def failing(n):
    """Counts, then raises."""
    yield from range(n)
    raise ValueError("after %d" % n)


def gated():
    """Yields once, and again when the gate is open."""
    yield 1
    gate.wait(60)
    yield 2


def open_gate():
    gate.set()


def slow(seconds=1):
    """Yields once, and again after a second or some."""
    yield 1
    time.sleep(seconds)
    yield 2


def endless():
    """Never stops by itself."""
    closed.clear()
    try:
        while True:
            yield "item"
    finally:
        closed.set()


def wait_closed():
    """Whether the endless stream was closed."""
    return closed.wait(30)


def sleep(seconds):
    time.sleep(seconds)
    return "slept"


def burn(seconds):
    """Computes without a pause."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "burnt"


def crowd(seconds):
    """How many calls of it ran at the same time, at most."""
    global inside, most
    with lock:
        inside += 1
        most = max(most, inside)
    time.sleep(seconds)
    with lock:
        inside -= 1
    return most


def pid():
    return os.getpid()


class Counter:
    """Keeps a number."""

    def __init__(self):
        self.value = 0

    def add(self, amount=1):
        """Adds."""
        self.value += amount
        return self.value
