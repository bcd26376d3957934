"""Signals are the module's: its handlers run wherever the signal comes, and may raise in its own code.

Python runs handlers in the main thread, between any two steps of whatever is running there. What they raise in a
method ends that method. In the bridge it would tear up what the bridge is at, so there it is logged.
"""

import contextlib
import os
import signal
import sys
import threading
import traceback

import _signal

# Whether the main thread runs code of the module, where handlers may raise.
inside = False

# Whether something of the module is being closed, which is to have its time.
_closing = False

# What SIGINT and SIGTERM did before, in this process and in what it forks.
_before = {}


def is_inside():
    """Whether this is the main thread, and at code of the module."""
    return inside and threading.current_thread() is threading.main_thread()


@contextlib.contextmanager
def kept_out():
    """Code of the bridge that a method has called."""
    global inside
    inside = False
    try:
        yield
    finally:
        inside = True


@contextlib.contextmanager
def closing():
    """Where a generator of the module runs its `finally`."""
    global _closing
    _closing = True
    try:
        yield
    finally:
        _closing = False


@contextlib.contextmanager
def let_in():
    """Where code of the bridge only waits, and nothing is lost by an exception."""
    global inside
    inside = True
    try:
        yield
    finally:
        inside = False


class Handler:
    """A handler of the module."""

    def __init__(self, function):
        self.function = function

    def __call__(self, number, frame):
        if inside or _in_task():
            return self.function(number, frame)
        try:
            return self.function(number, frame)
        except BaseException:
            print("zerorpc: the handler of signal %d failed between calls" % number, file=sys.stderr)
            traceback.print_exc()


def _in_task():
    asyncio = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.current_task() is not None
    except RuntimeError:
        return False


def take(is_closed):
    """To be called once the module is imported. `is_closed` tells whether the server wants this process to end."""
    for number in signal.valid_signals():
        handler = _signal.getsignal(number)
        if callable(handler) and handler is not signal.default_int_handler:
            _set(number, Handler(handler))
    # These are for the server, which ends this process when its calls have ended. Programs that a method starts do
    # hear them: therefore a handler and not SIG_IGN, which they would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = _signal.getsignal(number)
        if handler in (signal.SIG_DFL, signal.default_int_handler):
            _before[number] = handler
            _set(number, _Ending(is_closed))
    os.register_at_fork(after_in_child=_give_back)
    _signal.signal, _signal.getsignal = _signal_function, _getsignal


class WorkerDied(SystemExit):
    """Ends a call, as that of the process is told where the call has not ended before."""


class _Ending:
    """Ends the call that is running, once the server waits for the end of this process."""

    def __init__(self, is_closed):
        self._is_closed = is_closed
        self._has_ended = False

    def __call__(self, number, frame):
        # Once: after that, what is left to run has its time, and so has what is being closed. Tasks are cancelled.
        if inside and not (_closing or self._has_ended) and self._is_closed():
            self._has_ended = True
            raise WorkerDied("the server is shutting down")


_set, _get = _signal.signal, _signal.getsignal


def _signal_function(number, handler):
    if callable(handler) and handler is not signal.default_int_handler:
        handler = Handler(handler)
    return _plain(_set(number, handler))


def _getsignal(number):
    return _plain(_get(number))


def _plain(handler):
    return handler.function if isinstance(handler, Handler) else handler


def _give_back():
    """A forked process is the module's alone."""
    global inside
    inside = True
    for number, handler in _before.items():
        if isinstance(_get(number), _Ending):
            _set(number, handler)
