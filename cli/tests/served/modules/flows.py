"""Streams that wait, and streams that never end."""

import asyncio
import os
import queue
import threading
import time

subs = set()
closed = 0
waiting = 0


async def silent():
    """The first item comes, the next one never."""
    global closed, waiting
    waiting += 1
    try:
        yield "first"
        await asyncio.Event().wait()
    finally:
        waiting -= 1
        closed += 1


async def mute():
    """Not even a first item comes."""
    global closed, waiting
    waiting += 1
    try:
        await asyncio.Event().wait()
        yield "never"
    finally:
        waiting -= 1
        closed += 1


async def never(path):
    """A call that waits for ever, and says in a file that it does."""
    global closed, waiting
    waiting += 1
    open(path, "w").close()
    try:
        await asyncio.Event().wait()
    finally:
        waiting -= 1
        closed += 1


def subscribe():
    """A plain generator, in a queue."""
    global closed
    q = queue.Queue()
    subs.add(q)
    try:
        yield "subscribed"
        while True:
            yield q.get()
    finally:
        subs.discard(q)
        closed += 1


def publish(m):
    for q in list(subs):
        q.put(m)
    return len(subs)


def endless():
    """Closed where it stands when its caller goes."""
    global closed
    try:
        n = 0
        while True:
            yield n
            n += 1
    finally:
        closed += 1


def large(size):
    """More than anybody reads ahead."""
    global closed
    try:
        while True:
            yield b"x" * size
    finally:
        closed += 1


def closed_in():
    """Where a generator is closed."""
    try:
        while True:
            yield "item"
    finally:
        facts.append(threading.current_thread() is threading.main_thread())


facts = []


def close_facts():
    return facts


def fails_while_closing():
    try:
        yield 1
        yield 2
    finally:
        raise RuntimeError("while closing")


def numbers(n):
    yield from range(n)


made = 0


def counted():
    """How many items have been made of all streams of this kind."""
    global made
    while True:
        made += 1
        yield made


async def async_counted():
    for number in counted():
        yield number


def made_so_far():
    return made


def times_closed():
    return closed


def now_waiting():
    return waiting


def threads():
    return [threading.active_count(), len(subs)]


def echo(value):
    return value


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def pid():
    return os.getpid()
