"""Calls that meet, prints, and ways to die."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

print("printed while importing")
os.write(1, b"written to fd 1 while importing\n")

pairs = threading.Barrier(2)
crowd = threading.Barrier(1000)
state = {"calls": 0}
started = threading.Event()
released = threading.Semaphore(0)


def meet():
    """Returns when a second call is inside too."""
    state["calls"] += 1
    return pairs.wait(60) >= 0


def meet_thousand():
    return crowd.wait(120) >= 0


async def async_meet():
    state["async"] = state.get("async", 0) + 1
    while state["async"] % 2:
        await asyncio.sleep(0.001)
    return True


def rest(waits):
    """Usually quick; waits to be released when told to."""
    return released.acquire(timeout=60) if waits else None


def release(count):
    for _ in range(count):
        released.release()


def calls():
    return state["calls"]


def noise(text):
    print(text)
    print(text, file=sys.stderr)
    os.write(1, b"raw\n")
    subprocess.check_call(["echo", "from a program"])
    return text


def standard_streams():
    """Whether output goes where errors go, and whether input is at its end."""
    return [os.path.sameopenfile(1, 2), sys.stdin.read()]


def pid():
    return os.getpid()


def announce_then_wait():
    started.set()
    threading.Event().wait()


def announce_then_rest():
    started.set()
    return released.acquire(timeout=60)


def wait_started():
    return started.wait(60)


def kill(number):
    os.kill(os.getpid(), number)


def leave(status):
    os._exit(status)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    return "still here"


def forked():
    """A child by fork that lives on; it must not hold the server's pipes."""
    child = os.fork()
    if child == 0:
        import time
        time.sleep(60)
        os._exit(0)
    return child


def forked_both_return():
    """Both processes return; only one of them may answer, and the other must end."""
    return [os.getpid(), os.fork()]


def thread_count():
    return threading.active_count()
