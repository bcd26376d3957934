"""The zerorpc-python server that ours is compared with, see harness.py for how it is driven.

`tests/tests/differential/service.rs` offers the same methods.
"""

import logging

import gevent
import zerorpc

import harness

FAILURES = {
    "value": lambda: ValueError("bad value"),
    "key": lambda: KeyError("missing"),
    "unicode": lambda: ValueError("na\u00efve \u2603"),
    "quotes": lambda: ValueError("it's \"so\""),
    "empty": lambda: ValueError(""),
}


class Compared:
    def add(self, a, b):
        """Adds two numbers.

        Or joins two texts.
        """
        if isinstance(a, tuple):
            # An ext is a tuple for msgpack.
            raise TypeError("an ext is no number")
        return a + b

    def documented(self, a, b=2, c="text"):
        """First line of the documentation.

        Second paragraph.
        """
        return [a, b, c]

    def echo(self, value):
        """Returns its argument."""
        return value

    def echo_all(self, *values):
        return values

    @zerorpc.stream
    def empty_stream(self):
        return iter(())

    def fail(self, kind):
        raise FAILURES[kind]()

    @zerorpc.stream
    def failing_stream(self, count):
        yield from range(count)
        raise ValueError("failed after {0}".format(int(count)))

    @zerorpc.stream
    def items(self, values):
        return iter(values)

    def none(self):
        return None

    @zerorpc.stream
    def numbers(self, count):
        """Streams 0, 1, 2 and so on."""
        return iter(range(count))


def main():
    # Most of what it is sent fails on purpose.
    logging.disable(logging.CRITICAL)
    gevent.get_hub().exception_stream = None
    wanted = harness.options()
    server = zerorpc.Server(Compared(), heartbeat=wanted["heartbeat"])
    harness.serve(server, wanted)


if __name__ == "__main__":
    main()
