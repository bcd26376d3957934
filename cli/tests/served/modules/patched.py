"""Patched from its first line on, as gevent programs are."""

from gevent import monkey

monkey.patch_all()

import queue  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

lock = threading.Lock()
reentrant = threading.RLock()
tasks = queue.Queue()
state = threading.local()
state.name = "main"
inside = most = 0
order = []


def worker():
    while True:
        number, answer = tasks.get()
        answer.put(number * 2)


threading.Thread(target=worker, daemon=True).start()


def nap(s):
    time.sleep(s)
    return s


def crowd(seconds):
    """How many calls of it ran at the same time, at most."""
    global inside, most
    inside += 1
    most = max(most, inside)
    time.sleep(seconds)
    inside -= 1
    return most


def most_inside():
    return most


def doubled_by_thread(number):
    answer = queue.Queue()
    tasks.put((number, answer))
    return answer.get(timeout=30)


def own_thread(number):
    results = []
    thread = threading.Thread(target=lambda: results.append(nap(0.01) and number))
    thread.start()
    thread.join()
    return results


def program():
    return subprocess.check_output(["echo", "hello"]).decode().strip()


def guarded(number):
    with lock, reentrant, reentrant:
        time.sleep(0.001)
        return number


def numbers(n):
    for number in range(n):
        time.sleep(0.001)
        yield number


def talk():
    left, right = socket.socketpair()
    with left, right:
        gevent.spawn_later(0.01, right.sendall, b"hi")
        return left.recv(2)


def limited(limit, seconds):
    with gevent.Timeout(limit):
        gevent.sleep(seconds)


def fail(text):
    time.sleep(0.001)
    raise ValueError(text)


def in_main_hub():
    """Whether this is a greenlet of the main thread, and not the hub itself."""
    hub = gevent.get_hub()
    return [hub is main_hub, gevent.getcurrent() is not hub]


main_hub = gevent.get_hub()


async def later(value):
    return value


def pid():
    import os

    return os.getpid()
