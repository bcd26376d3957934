"""How this process ends, and those that the module forks off it."""

import atexit
import os
import sys

from . import failures


def leave(status):
    """Ends this process in order, but without waiting for anybody's threads: exit handlers run, output is flushed."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(status)


def leave_fork(error):
    """Ends a forked process as an exception ends a program that nobody catches it in."""
    status = 1
    if isinstance(error, SystemExit):
        status = 0 if error.code is None else error.code
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    else:
        error = error.with_traceback(failures.own_frames(error.__traceback__))
        sys.excepthook(type(error), error, error.__traceback__)
    leave(status & 0xFF)
