"""Calling other services."""

import sys

from .context import current_header
from .exceptions import TimeoutExpired
from .link import REQUEST
from .sockets import SocketBase, items, method_name, seconds

__all__ = ["AsyncResult", "Client"]


class Client(SocketBase):
    """Calls methods of a remote service: `client.method(…)`, or `client("method", …)`.

    Options of a call: `timeout` in seconds (None waits as long as the service lives), `slots` (how many items of a
    stream the service may send ahead), and `async_=True`, which gives an `AsyncResult` at once. Any number of
    threads may use a client.
    """

    def __init__(
        self, connect_to=None, context=None, timeout=30, heartbeat=5, passive_heartbeat=False, *, slots=100
    ):
        options = {
            "timeout": seconds("timeout", timeout),
            "heartbeat": seconds("heartbeat", heartbeat, nothing=False),
            "passive": bool(passive_heartbeat),
            "slots": items("slots", slots),
        }
        SocketBase.__init__(self, "client", options)
        if connect_to:
            self.connect(connect_to)

    def __call__(self, method, *args, **options):
        later = options.pop("async", False) or options.pop("async_", False)
        chosen = {}
        for name, value in options.items():
            if name == "timeout":
                chosen[name] = seconds(name, value)
            elif name == "slots":
                chosen[name] = items(name, value)
            else:
                raise TypeError(
                    "%s(): arguments of remote methods have no names; the options of a call are timeout, slots "
                    "and async_, not %r" % (method_name(method), name)
                )
        request = self._zerorpc_request(REQUEST, method_name(method), args, chosen, current_header())
        return AsyncResult(request) if later else request.result()


class AsyncResult:
    """The answer to a call, which may be still to come; as gevent's. Can be awaited, too."""

    def __init__(self, request):
        self._request = request

    def ready(self):
        """Whether the answer is there."""
        return self._request.is_done()

    def successful(self):
        """Whether it is there, and no error."""
        return self.ready() and self._request.error() is None

    @property
    def value(self):
        """The result; None as long as there is none."""
        return self._request.value() if self.successful() else None

    @property
    def exception(self):
        """What the call failed with; None if it has not failed."""
        return self._request.error() if self.ready() else None

    @property
    def exc_info(self):
        """The same as `sys.exc_info()` would have it; empty if it has not failed."""
        error = self.exception
        return () if error is None else (type(error), error, error.__traceback__)

    def wait(self, timeout=None):
        """Waits for the answer, whatever it is, so many seconds at most; gives `value`."""
        self._request.wait(timeout)
        return self.value

    def get(self, block=True, timeout=None):
        """Waits for the answer and gives the result, or raises what the call failed with.

        Raises `TimeoutExpired` when there is no answer after `timeout` seconds; it can be asked for again.
        """
        seconds = timeout if block else 0
        if not self._request.wait(seconds) and seconds is not None:
            raise TimeoutExpired(seconds, "waiting for the answer to a call")
        return self._request.get()

    def get_nowait(self):
        """`get` without waiting."""
        return self.get(block=False)

    def __await__(self):
        if not self.ready():
            # Here and not above: it is large, and few modules await.
            import asyncio

            loop = asyncio.get_running_loop()
            arrived = loop.create_future()
            self._request.on_done(lambda: _call_soon(loop, arrived))
            yield from arrived
        return self.get()


def _call_soon(loop, future):
    try:
        loop.call_soon_threadsafe(_set_done, future)
    except RuntimeError as error:
        # The loop is closed: nobody waits any more.
        sys.stderr.write("zerorpc: an answer came too late: %s\n" % error)


def _set_done(future):
    if not future.done():
        future.set_result(None)
