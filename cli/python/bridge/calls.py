"""Calls: how they begin and how they end, whichever way they are run.

Every call ends with exactly one frame `VALUE`, `DONE` or `FAILURE`, whatever the method does, also when it is
cancelled.
"""

import collections
import contextvars
import inspect
import os
import sys
import time
import traceback

from . import codec, ending, failures, introspect, middleware, signals, wire

# The header keys of the request that is being run, beyond the protocol's own.
HEADER = contextvars.ContextVar("zerorpc_header", default={})

# What is known of who has made it, encoded.
PEER = contextvars.ContextVar("zerorpc_peer", default=b"")


class Peer(collections.namedtuple("Peer", "name mechanism key username remote uid gid pid")):
    """Who calls, as far as the server made sure of it; what is not known is None."""

    __slots__ = ()

    def __bool__(self):
        return any(known is not None for known in self)


def current_peer():
    """Who has made the request that is being run; nothing is known outside of requests."""
    encoded = PEER.get()
    known = codec.unpack(encoded) if encoded else {}
    return Peer(*map(known.get, Peer._fields))

# What a stream begins with: one item, whatever its size. The server grants more when its caller takes more (`window.rs`).
FIRST_ITEMS = 1
FIRST_BYTES = 1

# Results that are neither streams nor awaited, unless the method is marked.
PLAIN = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict))


class Call:
    """One call, from its request to its last answer."""

    def __init__(self, number, context):
        self.number = number
        self.method = None
        # Each call sees context variables as the import has left them, and nobody else's changes.
        self.context = context
        # Gives credit to its stream, where it has become one.
        self.grant = None
        # Ends it early, where that can be done.
        self.cancel = None
        # Its caller has gone.
        self.is_cancelled = False

    def run(self, function, *arguments):
        """Runs code of the module in the context of this call; for the main thread."""
        signals.inside = True
        try:
            return self.context.run(function, *arguments)
        finally:
            signals.inside = False


class Calls:
    """What all ways to run calls have in common. Each says where streams and `async` methods go on."""

    def __init__(self, pipes, methods, current):
        self.send = pipes.send
        self.open = {}
        self._methods = methods
        self.is_forked = False
        os.register_at_fork(after_in_child=self._note_fork)
        self._context = contextvars.copy_context()
        self._decimal = _decimal_context(self._context)
        # Tells the server which call the main thread is at, and since when: two numbers of 64 bits.
        self._current = current

    def _note_fork(self):
        self.is_forked = True

    def start_stream(self, call, iterator):
        """Goes on with a method that has returned an iterator."""
        raise NotImplementedError

    def start_async(self, call, result):
        """Goes on with a method that has returned something to await, or to iterate over with `async for`."""
        raise NotImplementedError

    def begin(self, number):
        """A call that has come."""
        call = self.open[number] = Call(number, self._context.copy())
        if self._decimal is not None:
            call.context.run(self._decimal)
        return call

    def credit(self, number, body):
        """The server has taken something off a stream, which may have ended meanwhile."""
        call = self.open.get(number)
        if call is not None and call.grant is not None:
            call.grant(*codec.unpack(body))

    def is_async(self, body):
        """Whether calling the method only makes a coroutine, so that nothing of the module runs."""
        try:
            method = self._methods.get(codec.unpack(body)[0])
        except Exception:
            return False
        return method is not None and introspect.is_async(method.function)

    def execute(self, call, body, run):
        """Runs a method and answers with what it returns; `run` calls its first argument with the others."""
        try:
            name, *known, arguments = codec.unpack(body)
            method = call.method = self._methods.get(name)
            if method is None:
                return self.finish(call, wire.FAILURE, failures.unknown(name))
            header = known[0] if known else {}
            if header:
                call.context.run(HEADER.set, header)
            if len(known) == 2:
                call.context.run(PEER.set, known[1])
            function = middleware.wrap(method, header) or method.function
            try:
                result = run(function, *arguments)
            except TypeError as error:
                if failures.own_frames(error.__traceback__) is not None:
                    raise
                # Nothing of the module has run: the caller gave the wrong arguments.
                explained = introspect.explained(method, error)
                return self.finish(call, wire.FAILURE, failures.failure(explained, is_logged=False))
            self.answer(call, result)
        except BaseException as error:
            self.fail(call, error)

    def answer(self, call, result):
        """Answers with what a method has returned."""
        method = call.method
        if type(result) in PLAIN and not method.is_stream:
            self.finish(call, wire.VALUE, codec.pack(result))
        elif inspect.isawaitable(result) or method.streams_async(result):
            self.start_async(call, result)
        elif method.streams(result):
            iterator = iter(result)
            self.send(wire.STREAM, call.number)
            self.start_stream(call, iterator)
        else:
            self.finish(call, wire.VALUE, codec.pack(result))

    def fail(self, call, error):
        """Answers with an exception. Also SystemExit is the method's failure, not the end of this process."""
        if self.is_forked:
            # A process that the method has forked comes to its end by this.
            ending.leave_fork(error)
        is_wanted = not (call.is_cancelled or isinstance(error, CancelledError))
        self.finish(call, wire.FAILURE, failures.failure(error, is_wanted))

    def finish(self, call, kind, body=b""):
        """Sends the last answer to a call."""
        if self.is_forked:
            # A copy of this process that came back from its method has nobody to answer.
            ending.leave(0)
        self.open.pop(call.number, None)
        self.send(kind, call.number, body)

    def tell_current(self, number):
        """The main thread goes on with this call; with 0 it is at none."""
        self._current[0] = number
        self._current[1] = int(time.time() * 1000)


def close(call, iterator, run):
    """Closes an iterator that can be closed; what its `finally` raises concerns nobody but the log."""
    try:
        function = getattr(iterator, "close", None)
        if callable(function):
            with signals.closing():
                run(function)
    except BaseException:
        print("zerorpc: a stream of %s() failed when it was closed" % call.method.name, file=sys.stderr)
        traceback.print_exc()


def _decimal_context(context):
    """What gives a call a decimal context of its own, where the import has made one: it can be changed in place."""
    for variable, value in context.items():
        if variable.name == "decimal_context":
            return lambda: variable.set(value.copy())
    return None


class CancelledError(Exception):
    """Nobody wants the rest of a stream."""


class Window:
    """Credit for a stream that runs in a thread or greenlet, which waits here until it may make an item."""

    def __init__(self, event):
        # What was granted only the reader of the pipe changes, and what was used only the stream itself.
        self._granted = [FIRST_ITEMS, FIRST_BYTES]
        self._used = [0, 0]
        self._changed = event
        self._closed = False

    def use(self, size):
        """Pays for an item of so many bytes."""
        self._used[0] += 1
        self._used[1] += size

    def wait(self):
        """Waits until one more item may be made, whatever its size."""
        while not self._closed and not has_credit(self._granted, self._used):
            self._changed.wait()
            self._changed.clear()
        if self._closed:
            raise CancelledError("nobody reads the stream any more")

    def grant(self, items, size):
        """Adds credit."""
        self._granted[0] += items
        self._granted[1] += size
        self._changed.set()

    def close(self):
        """Ends the waiting for good."""
        self._closed = True
        self._changed.set()


def has_credit(granted, used):
    """Whether one more item may be made: items and bytes are left."""
    return granted[0] > used[0] and granted[1] > used[1]


def drain(calls, call, iterator, window, run):
    """Sends the items of a stream from the thread or greenlet that this runs in."""
    call.grant = window.grant
    try:
        try:
            while True:
                # Credit comes first: what nobody takes is not even made.
                window.wait()
                try:
                    item = run(next, iterator)
                except StopIteration:
                    break
                data = codec.pack(item, "item")
                calls.send(wire.ITEM, call.number, data)
                window.use(len(data))
        finally:
            close(call, iterator, run)
    except BaseException as error:
        calls.fail(call, error)
    else:
        calls.finish(call, wire.DONE)
