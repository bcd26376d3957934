"""The service that the tests call; the Node program next door exposes the same methods."""

import collections
import contextlib
import time

import gevent
import gevent.local
import zerorpc


class CustomError(Exception):
    pass


FAILURES = {
    "value": lambda: ValueError("bad value"),
    "key": lambda: KeyError("missing"),
    "custom": lambda: CustomError("one of ours"),
    "unicode": lambda: ValueError("na\u00efve \u2603 \u5931\u6557"),
    "empty": lambda: ValueError(),
}


class Observer:
    """A middleware that counts calls and keeps the trace id of the running one."""

    def __init__(self):
        self.calls = collections.Counter()
        self._task = gevent.local.local()

    @property
    def trace_id(self):
        return getattr(self._task, "trace_id", None)

    def load_task_context(self, header):
        self._task.trace_id = header.get("trace_id")

    def server_before_exec(self, request):
        self.calls[request.name] += 1


class Service:
    def __init__(self, observer):
        self._observer = observer
        self._active = 0

    @contextlib.contextmanager
    def _running(self):
        self._active += 1
        try:
            yield
        finally:
            self._active -= 1

    def echo(self, value):
        """Returns its argument."""
        return value

    def echo_all(self, *values):
        return values

    def add(self, a, b):
        """Adds two numbers.

        Or joins two texts.
        """
        return a + b

    def none(self):
        return None

    def kind(self, value):
        return type(value).__name__

    def blob(self, size):
        return b"\xa5" * size

    def documented(self, a, b=2, c="text"):
        """First line of the documentation.

        Second paragraph.
        """
        return [a, b, c]

    def fail(self, kind):
        raise FAILURES[kind]()

    def unpackable(self):
        return object()

    def trace_id(self):
        return self._observer.trace_id

    def sleep(self, seconds):
        with self._running():
            gevent.sleep(seconds)
        return seconds

    def burn(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        return seconds

    @zerorpc.stream
    def numbers(self, count):
        """Streams 0, 1, 2 and so on."""
        return iter(range(count))

    @zerorpc.stream
    def slow_numbers(self, count, delay):
        with self._running():
            for number in range(count):
                gevent.sleep(delay)
                yield number

    @zerorpc.stream
    def empty_stream(self):
        return iter(())

    @zerorpc.stream
    def failing_stream(self, count):
        yield from range(count)
        raise ValueError("failed after {0}".format(count))

    def active(self):
        """How many calls of sleep and slow_numbers are under way."""
        return self._active

    def calls_seen(self):
        """How often each method was called, this call included."""
        return dict(self._observer.calls)
