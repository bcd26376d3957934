"""What all sockets of a module have in common."""

import functools

from .link import Request, Socket


class SocketBase:
    """Something with links. Names that it does not have are methods of the other side."""

    # As in zerorpc-python; the server's `--debug` shows what is sent.
    debug = False

    def __init__(self, role, options):
        self.__socket = Socket(role, options)

    def connect(self, endpoint, resolve=True):
        """Connects to an endpoint, or to several in a list; the other side need not be there yet."""
        return self.__change("connect", endpoint)

    def bind(self, endpoint, resolve=True):
        """Lets others connect; gives the endpoints with the ports that the system chose, if it did."""
        return self.__change("bind", endpoint)

    def disconnect(self, endpoint, resolve=True):
        """Ends the connection to an endpoint, given as it was connected."""
        return self.__change("disconnect", endpoint)

    def close(self):
        """Closes the socket; calls that are under way fail. Dropping the object does the same."""
        self.__socket.close()

    def __change(self, change, endpoint):
        if isinstance(endpoint, (tuple, list)):
            return [done for one in endpoint for done in self.__change(change, one)]
        return [self.__socket.change(change, endpoint)]

    def _zerorpc_request(self, kind, *parts):
        """Asks the socket for something."""
        return Request(self.__socket, kind, list(parts))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __reduce__(self):
        raise TypeError("a %s can neither be copied nor pickled" % type(self).__name__)

    def __getattr__(self, name):
        # Whoever looks for special or private names (copy, pickle, inspect) does not want to call anybody.
        if name.startswith("_") and not name.startswith("_zerorpc_"):
            raise AttributeError("%r object has no attribute %r" % (type(self).__name__, name))
        return functools.partial(self, name)


def method_name(method):
    """The name of a method, as text."""
    return method.decode() if isinstance(method, bytes) else str(method)


def seconds(what, value, nothing=True):
    """A number of seconds, or None; whether it may be 0 as well."""
    if value is None:
        return None
    number = _number(float, value)
    if not (number > 0 or (nothing and number == 0)):
        range_ = "0 or more" if nothing else "more than 0"
        raise ValueError("%s is a number of seconds, %s, or None for none: %r" % (what, range_, value))
    return number


def items(what, value):
    """A number of items."""
    number = _number(int, value)
    if not 0 < number < 1 << 32:
        raise ValueError("%s is a number of items, at least 1: %r" % (what, value))
    return number


def _number(kind, value):
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        return -1
