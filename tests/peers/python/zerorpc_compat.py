"""Gives zerorpc 0.6.3 the two names that Python 3.10 and 3.11 removed.

The environment's start-up file imports this in every interpreter, so that the library and its
console script run unchanged.
"""

import collections
import collections.abc
import inspect


def _getargspec(function):
    full = inspect.getfullargspec(function)
    return full.args, full.varargs, full.varkw, full.defaults


if not hasattr(inspect, "getargspec"):
    inspect.getargspec = _getargspec
if not hasattr(collections, "Iterator"):
    collections.Iterator = collections.abc.Iterator
