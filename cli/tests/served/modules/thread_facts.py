"""Where the module's code runs, and what it sees of others."""

import os
import signal
import sys
import threading

main = threading.main_thread()
at_import = {
    "main": threading.current_thread() is main,
    "threads": [thread.name for thread in threading.enumerate()],
    "int": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
    "term": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
    "chld": signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL,
    "fds": len(os.listdir("/proc/self/fd")),
}
children = os.fork()
if children == 0:
    os._exit(0)
os.waitpid(children, 0)


def imported():
    return at_import


def in_main():
    return threading.current_thread() is main


async def in_main_later():
    return threading.current_thread() is main


def in_main_streaming():
    yield threading.current_thread() is main


async def in_main_streaming_later():
    yield threading.current_thread() is main


def threads():
    """All threads of the process: Python's, as it knows them, and the system's."""
    return [threading.active_count(), len(os.listdir("/proc/self/task"))]


class Made:
    def __init__(self):
        self.main = threading.current_thread() is main

    def made_in_main(self):
        return self.main


def hooks():
    """Whether nobody has put anything of his own where only the module would."""
    return [sys.excepthook is sys.__excepthook__, sys.gettrace(), sys.getprofile(), sys.argv]
