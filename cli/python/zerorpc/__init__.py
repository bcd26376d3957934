"""The module `zerorpc` as served code sees it: the decorators and the exceptions.

It stands in for the pip package, also where that is installed, so that served code behaves the same
everywhere. It has no clients and servers: the process that runs this code is the server already.
"""

import functools

__all__ = ["stream", "rep", "RemoteError", "LostRemote", "TimeoutExpired"]

# What a package needs for `import zerorpc.anything` to fail with a plain ModuleNotFoundError.


PATTERN = "__zerorpc_pattern__"


def stream(function):
    """Marks a function whose result is sent item by item, whatever kind of iterable it is."""
    return _mark(function, "stream")


def rep(function):
    """Marks a function whose result is sent as one value, even if it is an iterator."""
    return _mark(function, "rep")


def pattern_of(function):
    """`"stream"`, `"rep"`, or None for a function without a mark."""
    return getattr(function, PATTERN, None)


def _mark(function, pattern):
    # The function itself comes back: it stays a method, and keeps its name, documentation and signature.
    try:
        setattr(getattr(function, "__func__", function), PATTERN, pattern)
        return function
    except AttributeError:
        # Functions of C take no marks; a function around them does.
        @functools.wraps(function)
        def marked(*arguments):
            return function(*arguments)

        return _mark(marked, pattern)


class RemoteError(Exception):
    """A remote method failed: the name of its exception, the message, the traceback."""

    def __init__(self, name, human_msg, human_traceback):
        super().__init__(name, human_msg, human_traceback)
        self.name = name
        self.msg = human_msg
        self.traceback = human_traceback

    def __str__(self):
        return self.traceback or "%s: %s" % (self.name, self.msg)


class LostRemote(Exception):
    """The other side has gone."""


class TimeoutExpired(Exception):
    """The other side did not answer in time."""

    def __init__(self, timeout_s, when=None):
        super().__init__("timeout after %ss%s" % (timeout_s, ", when %s" % when if when else ""))


def __getattr__(name):
    raise AttributeError(
        "module 'zerorpc' has no attribute %r: in served code it offers only %s" % (name, ", ".join(__all__))
    )
