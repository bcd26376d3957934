"""Servers as what is served: `class Echo(zerorpc.Server)`, `server = zerorpc.Server(Thing())`.

Those of our `zerorpc` (`../zerorpc/server.py`) tell what they expose. Those of the package from PyPI have made a table
of it.
"""

import sys


def name_of(service):
    """The name that a server has; None for anything else."""
    if hasattr(type(service), "__zerorpc_name__"):
        return str(service.__zerorpc_name__())
    if _table(service) is None:
        return None
    return str(getattr(service, "_name", None) or type(service).__name__)


def exposed_by(service):
    """The methods that a server exposes, by name; None for anything else."""
    if hasattr(type(service), "__zerorpc_exposed__"):
        return service.__zerorpc_exposed__()
    table = _table(service)
    if table is None:
        return None
    # The package's own, such as `_zerorpc_list`, are the command's business.
    return {name: _unmarked(method) for name, method in table.items() if not str(name).startswith("_")}


def _table(service):
    """The methods of a server of the package."""
    core = sys.modules.get("zerorpc.core")
    bases = tuple(getattr(core, name) for name in ("ServerBase", "Puller") if hasattr(core, name))
    table = getattr(service, "_methods", None) if isinstance(service, bases) else None
    return table if isinstance(table, dict) else None


def _unmarked(method):
    """A method as its author wrote it: the package marks as `rep` whatever has no mark."""
    rep = getattr(sys.modules.get("zerorpc.decorators"), "rep", None)
    return method._functor if rep is not None and type(method) is rep else method
