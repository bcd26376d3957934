"""zerorpc as served code sees it where the package from PyPI is not installed.

The process that runs this code is a server already: the command `zerorpc` serves its functions. What services
need beside that is here, with the names and the ways of zerorpc-python:

- the decorators `stream` and `rep`, and the exceptions;
- `Client`, `Pusher` and `Publisher`, whose sockets are held by the server's process;
- `Server`, `Puller` and `Subscriber` as something to derive from, and to be served by what they expose;
- `current_header()`: the header keys of the request that is being run. They travel on with calls that it makes;
- `current_peer()`: who has made it.
"""

import sys

from . import decorators, exceptions
from .client import AsyncResult, Client
from .context import Context, current_header, current_peer, fork_task_context
from .decorators import rep, stream
from .exceptions import LostRemote, RemoteError, TimeoutExpired
from .oneway import Publisher, Pusher
from .server import Puller, Server, Subscriber

# Whose ways these are.
__version__ = "0.6.3"

__all__ = [
    "AsyncResult", "Client", "Context", "LostRemote", "Publisher", "Puller", "Pusher", "RemoteError", "Server",
    "Subscriber", "TimeoutExpired", "current_header", "current_peer", "decorators", "exceptions", "fork_task_context", "rep",
    "stream",
]


def __getattr__(name):
    reason = (
        "the zerorpc of served code has no %r, only %s; the whole package comes with: pip install zerorpc"
        % (name, ", ".join(__all__))
    )
    if not name.startswith("__") and _is_imported(sys._getframe(1)):
        # Of an AttributeError, `from zerorpc import name` would not show the text.
        raise ImportError(reason, name=__name__, path=__file__)
    raise AttributeError(reason)


def _is_imported(frame):
    """Whether the frame is at `from … import name`."""
    import opcode

    return frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"]
