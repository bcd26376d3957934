"""What services derive from, or are wrapped in."""

import sys

__all__ = ["Puller", "Server", "Subscriber"]


class Exposed:
    """An object that is served by what it exposes: the methods of the class that derives from it, or those of another
    object, which it was given.

    It is not started: the command `zerorpc` has, in whose process the sockets are.
    """

    debug = False
    # Where a class that derives from this does not call `__init__`.
    __methods = None
    __name = None

    def __init__(self, methods=None, name=None, context=None):
        self.__methods = methods
        self.__name = name

    def __zerorpc_name__(self):
        """The service's name."""
        methods = self if self.__methods is None else self.__methods
        return self.__name or getattr(methods, "__name__", None) or type(methods).__name__

    def __zerorpc_exposed__(self):
        """Its methods by name."""
        methods = self if self.__methods is None else self.__methods
        if isinstance(methods, dict):
            return dict(methods)
        if methods is not self and isinstance(methods, Exposed):
            return methods.__zerorpc_exposed__()
        own = set(dir(Server)) if methods is self else ()
        names = [name for name in dir(methods) if not name.startswith("_") and name not in own]
        found = [(name, _get(methods, name)) for name in names]
        return {name: method for name, method in found if callable(method)}

    def __call__(self, method, *args):
        methods = self.__zerorpc_exposed__()
        if method not in methods:
            raise NameError(method)
        return methods[method](*args)

    def bind(self, endpoint, resolve=True):
        """Refused: see the class."""
        self.__refuse("bind")

    def connect(self, endpoint, resolve=True):
        """Refused: see the class."""
        self.__refuse("connect")

    def disconnect(self, endpoint, resolve=True):
        """Refused: see the class."""
        self.__refuse("disconnect")

    def run(self):
        """Refused: see the class."""
        self.__refuse("run")

    def stop(self):
        """Does nothing: nothing was started."""

    def close(self):
        """Does nothing: there is no socket."""

    def __refuse(self, what):
        raise RuntimeError(
            '%s.%s() in served code: the command zerorpc serves this module. Put the server\'s start below '
            '`if __name__ == "__main__":`. To run another server beside this one: pip install zerorpc'
            % (type(self).__name__, what)
        )


class Server(Exposed):
    """Answers calls."""

    def __init__(self, methods=None, name=None, context=None, pool_size=None, heartbeat=5):
        Exposed.__init__(self, methods, name, context)


class Puller(Exposed):
    """Takes what pushers send."""

    def __init__(self, methods=None, context=None, zmq_socket=None):
        Exposed.__init__(self, methods, None, context)


class Subscriber(Puller):
    """Takes what publishers send."""

    def __init__(self, methods=None, context=None):
        Exposed.__init__(self, methods, None, context)


def _get(service, name):
    try:
        return getattr(service, name)
    except Exception as error:
        # A property may need what is not there yet. It is no method; the others are served.
        print("zerorpc: %s is not served: %r" % (name, error), file=sys.stderr)
        return None
