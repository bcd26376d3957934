"""Signals as time limits, and as messages."""

import asyncio
import os
import signal
import time

count = 0
heard = []


class TooLong(Exception):
    pass


def too_long(number, frame):
    raise TooLong("after all")


def hang_up(number, frame):
    heard.append("usr1")
    raise RuntimeError("usr1 was heard")


def note(number, frame):
    heard.append("usr2")


signal.signal(signal.SIGUSR1, hang_up)
signal.signal(signal.SIGUSR2, note)


def sleep_at_most(limit, seconds):
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        time.sleep(seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "slept"


def compute_at_most(limit, seconds):
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return "computed"


def stream_at_most(limit, seconds):
    yield "first"
    yield sleep_at_most(limit, seconds)


def alarm_later(seconds):
    """Comes back before the alarm goes off."""
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def say_and_sleep(path, seconds):
    open(path, "w").close()
    time.sleep(seconds)
    return "slept"


async def say_and_sleep_later(path, seconds):
    open(path, "w").close()
    await asyncio.sleep(seconds)
    return "slept"


def so_far():
    return heard


def add():
    global count
    count += 1
    return count


async def listen_in_loop():
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, heard.append, "hup")


def swap(name):
    """A handler of a method's own, and the one before back again."""
    number = getattr(signal, name)
    before = signal.signal(number, note)
    os.kill(os.getpid(), number)
    signal.signal(number, before)
    return heard[-1]


def pid():
    return os.getpid()
