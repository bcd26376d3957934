"""Calls that meet."""

import os
import threading
import time

meeting = threading.Barrier(8)
lock = threading.Lock()
inside = most = 0


def meet():
    """Comes back when eight are inside."""
    return meeting.wait(50) >= 0


def meet_streaming():
    yield meeting.wait(50) >= 0


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


def echo(value):
    return value


def threads():
    return threading.active_count()


def in_main():
    return threading.current_thread() is threading.main_thread()


def pid():
    return os.getpid()
