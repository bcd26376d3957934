"""Marks of functions that are served."""

import functools

__all__ = ["rep", "stream"]

PATTERN = "__zerorpc_pattern__"


def stream(function):
    """Marks a function whose result is sent item by item, whatever kind of iterable it is."""
    return _mark(function, "stream")


def rep(function):
    """Marks a function whose result is sent as one value, even if it is an iterator."""
    return _mark(function, "rep")


def _mark(function, pattern):
    # The function itself comes back: it stays a method, and keeps its name, documentation and signature.
    try:
        setattr(getattr(function, "__func__", function), PATTERN, pattern)
        return function
    except AttributeError:
        # Functions of C take no marks; a function around them does.
        @functools.wraps(function)
        def marked(*arguments, **keywords):
            return function(*arguments, **keywords)

        return _mark(marked, pattern)
