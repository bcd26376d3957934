"""What travels with a request beside its arguments."""

import collections
import contextvars
import sys

__all__ = ["Context", "current_header", "current_peer", "fork_task_context"]


def current_header():
    """The header keys of the request that is being run, such as a trace id, as a dict; empty outside of requests.

    They travel on with the calls that are made meanwhile. A thread that a method starts has none, unless what it
    runs was wrapped by `fork_task_context`.
    """
    calls = getattr(sys.modules.get("_zerorpc_bridge"), "calls", None)
    return {} if calls is None else dict(calls.HEADER.get({}))


def current_peer():
    """Who has made the request that is being run, as far as the server made sure of it.

    A tuple of `name` (which the server's rules gave it), `mechanism` ("NULL", "PLAIN", "CURVE"), `key`, `username`, `remote`
    (its address), and, over ipc, `uid`, `gid` and `pid`. What is not known is None; outside of requests that is all of it,
    and the tuple is false.
    """
    calls = getattr(sys.modules.get("_zerorpc_bridge"), "calls", None)
    if calls is None:
        return _Nobody()
    return calls.current_peer()


class _Nobody(collections.namedtuple("Peer", "name mechanism key username remote uid gid pid")):
    """Where nothing is served."""

    __slots__ = ()

    def __new__(cls):
        return super().__new__(cls, *[None] * 8)

    def __bool__(self):
        return False


def fork_task_context(functor, context=None):
    """Wraps a function, for another thread or task, so that it belongs to the request that is being run now."""
    kept = contextvars.copy_context()

    def wrapped(*arguments, **keywords):
        return kept.copy().run(functor, *arguments, **keywords)

    return wrapped


class Context:
    """Stands where zerorpc-python wants a context. Middlewares are for that package."""

    _instance = None

    @staticmethod
    def get_instance():
        """The context of this process."""
        if Context._instance is None:
            Context._instance = Context()
        return Context._instance

    def __getattr__(self, name):
        raise AttributeError(
            "the Context of served code has no %r: middlewares and sockets of zmq come with the whole package, "
            "pip install zerorpc; header keys can be read with zerorpc.current_header()" % name
        )
