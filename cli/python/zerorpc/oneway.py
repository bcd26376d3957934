"""Sending events that nobody answers."""

from .context import current_header
from .link import EMIT
from .sockets import SocketBase, method_name

__all__ = ["Publisher", "Pusher"]


class Pusher(SocketBase):
    """Calls methods of pullers: each event goes to one of them. Waits as long as there is none, 30 s at most."""

    def __init__(self, context=None, zmq_socket=None):
        SocketBase.__init__(self, "pusher", {})

    def __call__(self, method, *args):
        self._zerorpc_request(EMIT, method_name(method), args, current_header()).result()


class Publisher(Pusher):
    """Calls methods of all subscribers that are connected."""

    def __init__(self, context=None):
        SocketBase.__init__(self, "publisher", {})
