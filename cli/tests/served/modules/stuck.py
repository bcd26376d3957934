"""A process that can't be talked to any more."""

import ctypes
import os
import signal
import subprocess


def hold_gil(path, seconds):
    open(path, "w").close()
    ctypes.PyDLL(None).usleep(seconds * 1000000)


def hold_gil_with_child(path, seconds):
    subprocess.Popen(["sleep", "1000"])
    hold_gil(path, seconds)


def stop(path):
    open(path, "w").close()
    os.kill(os.getpid(), signal.SIGSTOP)


def ignore_all(path):
    """Waits for something that never comes, deaf to what may be ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    open(path, "w").close()
    while True:
        signal.pause()


def echo(value):
    return value


def pid():
    return os.getpid()
