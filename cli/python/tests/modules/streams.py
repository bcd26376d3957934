"""Streams of all kinds."""

import asyncio
import threading

import zerorpc

made = 0
closed = threading.Event()
gate = threading.Event()


def numbers(n):
    """Counts."""
    for number in range(n):
        yield number


def iterator(n):
    return iter(range(n))


def container(n):
    return list(range(n))


@zerorpc.stream
def marked(n):
    """A container, sent item by item."""
    return list(range(n))


@zerorpc.rep
def kept(n):
    return iter(range(n))


async def async_numbers(n):
    for number in range(n):
        await asyncio.sleep(0)
        yield number


@zerorpc.stream
async def async_marked(n):
    return list(range(n))


def endless():
    """Tells how far it ran, and when it was closed."""
    global made
    made = 0
    closed.clear()
    try:
        while True:
            made += 1
            yield made
    finally:
        closed.set()


def wide(size):
    """Endless too, of large items."""
    for _ in endless():
        yield b"x" * size


async def async_endless():
    closed.clear()
    try:
        while True:
            yield 1
    finally:
        closed.set()


async def async_stuck():
    """Yields once; then nothing but being cancelled ends it."""
    closed.clear()
    try:
        yield 1
        await asyncio.Event().wait()
    finally:
        closed.set()


def gated():
    """Yields once, and again when the gate is open."""
    closed.clear()
    gate.clear()
    try:
        yield 1
        gate.wait(60)
        yield 2
    finally:
        closed.set()


def burst(n):
    """Yields n numbers at once, and whether the gate was opened when it was."""
    gate.clear()
    yield from range(n)
    yield gate.wait(60)


async def async_burst(n):
    gate.clear()
    for number in range(n):
        yield number
    yield await asyncio.get_running_loop().run_in_executor(None, gate.wait, 60)


def open_gate():
    gate.set()


async def async_forever():
    closed.clear()
    try:
        await asyncio.Event().wait()
    finally:
        closed.set()


def made_so_far():
    return made


def wait_closed():
    """True when a generator was closed, within a minute."""
    return closed.wait(60)


def fails_after(n):
    yield from range(n)
    raise ValueError("after %d" % n)


def unpackable():
    yield 1
    yield object()


def bad_close():
    try:
        yield 1
        yield 2
    finally:
        raise RuntimeError("in close")


def thread_count():
    return threading.active_count()
