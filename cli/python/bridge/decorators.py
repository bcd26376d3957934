"""Marks that served code puts on its functions: by our `zerorpc` (`../zerorpc`), or by the package from PyPI.

That package's decorators make objects of its own around functions, with a `pattern` each.
"""

import sys

PATTERN = "__zerorpc_pattern__"


def pattern_of(function):
    """`"stream"`, `"rep"`, or None for a function without a mark."""
    try:
        mark = getattr(function, PATTERN, None)
    except Exception:
        return None
    if mark in ("stream", "rep"):
        return mark
    patterns = sys.modules.get("zerorpc.patterns")
    if _is_decorated(function) and patterns is not None:
        if isinstance(function.pattern, patterns.ReqStream):
            return "stream"
        if isinstance(function.pattern, patterns.ReqRep):
            return "rep"
    return None


def plain(function):
    """The function itself, whose signature and documentation are to be shown."""
    while _is_decorated(function):
        function = function._functor
    return function


def _is_decorated(function):
    base = getattr(sys.modules.get("zerorpc.decorators"), "DecoratorBase", None)
    return base is not None and isinstance(function, base)
