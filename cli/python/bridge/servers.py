"""Servers as what is served: `class Echo(zerorpc.Server)`, `server = zerorpc.Server(Thing())`.

Those of our `zerorpc` (`../zerorpc/server.py`) tell what they expose. Those of the package from PyPI have made a table
of it.
"""

import sys


def exposed_by(service):
    """What a server exposes: its name, and the methods by name. None for anything else."""
    hook = getattr(type(service), "__zerorpc_exposed__", None)
    if callable(hook):
        return hook(service)
    core = sys.modules.get("zerorpc.core")
    bases = tuple(getattr(core, name) for name in ("ServerBase", "Puller") if hasattr(core, name))
    methods = getattr(service, "_methods", None) if isinstance(service, bases) else None
    if not isinstance(methods, dict):
        return None
    name = getattr(service, "_name", None) or type(service).__name__
    return name, {
        name: _unmarked(method)
        for name, method in methods.items()
        if isinstance(name, str) and not name.startswith("_")
    }


def _unmarked(method):
    """A method as its author wrote it: the package marks as `rep` whatever has no mark."""
    rep = getattr(sys.modules.get("zerorpc.decorators"), "rep", None)
    return method._functor if rep is not None and type(method) is rep else method
