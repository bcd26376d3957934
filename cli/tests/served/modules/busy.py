"""Busy in ways that leave room for nothing else."""

import ctypes
import os
import time


def sleep(path, seconds):
    """Says in a file that it has begun."""
    open(path, "w").close()
    time.sleep(seconds)
    return "slept"


def compute(path, seconds):
    open(path, "w").close()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "computed"


def hold_gil(path, seconds):
    open(path, "w").close()
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))
    return "held"


def stream(path, seconds):
    """Its second item takes its time."""
    yield "first"
    yield sleep(path, seconds)


def echo(value):
    """Gives back what it gets."""
    return value


def pid():
    return os.getpid()
