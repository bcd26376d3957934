"""Who comes when, and who waits."""

import asyncio
import os
import threading
import time

seen = []
ticks = 0
gate = threading.Event()


def mark(value):
    seen.append(value)
    return value


def marks():
    return seen


def hold(path):
    """Says in one file that it has begun, and runs until the other is there."""
    open(path + ".begun", "w").close()
    while not os.path.exists(path):
        time.sleep(0.01)
    return "held"


def hold_too(path):
    return hold(path)


def hold_stream(path):
    yield "begun"
    yield hold(path)


def flow(name):
    """Endless, and as fast as it can be."""
    while True:
        seen.append(name)
        yield name


async def async_flow(name):
    while True:
        seen.append(name)
        yield name


async def tick(seconds):
    """Counts on for so long."""
    global ticks
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ticks += 1
        await asyncio.sleep(0.001)
    return ticks


def ticks_meanwhile(seconds):
    """How far the counting came while this ran."""
    before = ticks
    time.sleep(seconds)
    return ticks - before


def ticks_so_far():
    return ticks


parties = 0
all_here = None


async def meet(number):
    """Comes back when so many are inside."""
    global parties, all_here
    all_here = all_here or asyncio.Event()
    parties += 1
    if parties == number:
        all_here.set()
    await all_here.wait()
    return number


def echo(value):
    return value


def pid():
    return os.getpid()
