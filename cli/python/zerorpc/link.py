"""How sockets reach the process of the server, which holds them.

A frame goes there for each thing to be done (kind, number, body), and frames come back under the same number:
one, or as many as a stream has items.
"""

import collections
import sys

from .exceptions import LostRemote, RemoteError, TimeoutExpired

# To the server; its half is `outgoing.rs`.
SOCKET = 32  # [role, options]; the number is the socket's
LINK = 33  # [socket, "bind" | "connect" | "disconnect", endpoint]
REQUEST = 34  # [socket, method, arguments, options, header]
GRANT = 35  # [items] that may be sent beyond those before
DROP = 36  # nobody wants the rest; empty
CLOSE = 37  # the socket is closed; empty
EMIT = 38  # [socket, method, arguments, header]

# From the server.
LINKED = 48  # the endpoint as it was bound or connected, or nil
VALUE = 49  # the result
STREAM = 50  # the result is a stream; empty
ITEM = 51  # one item of it
END = 52  # the end of it; empty
ERROR = 53  # [kind, name, message, traceback]


def bridge():
    """What connects this process with its server; None in children of that which serves the module."""
    found = sys.modules.get("_zerorpc_bridge")
    return None if getattr(found, "link", None) is None else found


class Socket:
    """A socket at the server. It is closed there when nobody has this any more."""

    def __init__(self, role, options):
        ours = bridge()
        self._role = role
        self._closed = False
        self._link = self._number = None
        # A module that is imported once more, by a process of a pool, may make sockets that are never used there.
        if ours is not None:
            self._link = ours.link
            body = ours.codec.pack([role, options])
            number = self._link.next_number()
            self._link.send(SOCKET, number, body)
            self._number = number

    def change(self, change, endpoint):
        """Binds, connects or disconnects; gives the endpoint with the port that the system chose, if it did."""
        endpoint = endpoint.decode() if isinstance(endpoint, bytes) else str(endpoint)
        if bridge() is None and self._link is None:
            return endpoint
        return Request(self, LINK, [change, endpoint]).result()

    def check(self):
        """The link, as long as it can be used."""
        ours = bridge()
        if self._closed:
            raise RuntimeError("this %s is closed: make another one" % self._role)
        if ours is None:
            raise RuntimeError(
                "a %s works in the process that serves the module only, not in those that it starts, unless the "
                "whole package is there: pip install zerorpc" % self._role
            )
        if ours.link is not self._link:
            raise RuntimeError("this %s belongs to another process, of which this one is a copy" % self._role)
        return ours

    @property
    def number(self):
        """What the server knows it by."""
        return self._number

    def close(self):
        """Closes it at the server; calls that are under way fail."""
        if not self._closed:
            self._closed = True
            self.notify(CLOSE, self._number)

    def notify(self, kind, number):
        """Says something that nothing comes back for, if this is the process that the server knows.

        Also from destructors, which run in the midst of anything.
        """
        if number is not None and getattr(sys.modules.get("_zerorpc_bridge"), "link", None) is self._link:
            self._link.leave(kind, number)

    def grant(self, number, items):
        """So many more items may come; nothing to be said where the socket is closed already."""
        if not self._closed and getattr(sys.modules.get("_zerorpc_bridge"), "link", None) is self._link:
            # The array of one number.
            self._link.send(GRANT, number, bytes((0x91, items)))

    def forget(self, number):
        """Wants no more frames under this number."""
        self._link.handlers.pop(number, None)

    def __del__(self):
        try:
            if not self._closed:
                self.close()
        except Exception:
            # At the end of the process anything may be gone. The server sees the end by itself.
            pass


class Request:
    """Something that was asked for, and the first answer to it."""

    def __init__(self, socket, kind, body):
        ours = socket.check()
        link = ours.link
        body = ours.codec.pack([socket.number] + body)
        self._unpack = ours.codec.unpack
        # Also keeps the socket open until the answer is there.
        self._socket = socket
        self._callbacks = collections.deque()
        self._answer = None
        self._error = self._value = None
        self._event = link.event()
        self._number = link.next_number()
        link.handlers[self._number] = self
        try:
            link.send(kind, self._number, body)
        except BaseException:
            # The handler of a signal has ended the call.
            self.drop()
            raise

    def __call__(self, kind, body):
        """Takes the answer, on whichever thread reads from the server."""
        socket, number = self._socket, self._number
        if kind == STREAM:
            inbox = socket._link.handlers[number] = Inbox(socket._link)
            self._value = Stream(socket, number, inbox, self._unpack)
        else:
            socket.forget(number)
        self._answer = kind, body
        self._socket = None
        self._event.set()
        self._run_callbacks()

    def is_done(self):
        """Whether the answer is there."""
        return self._answer is not None

    def wait(self, timeout=None):
        """Waits for the answer; false when there is none in time."""
        return self.is_done() or self._event.wait(timeout) or self.is_done()

    def on_done(self, callback):
        """Calls `callback` once, when the answer is there, on any thread."""
        self._callbacks.append(callback)
        # Each side writes before it reads.
        if self.is_done():
            self._run_callbacks()

    def _run_callbacks(self):
        while True:
            try:
                callback = self._callbacks.popleft()
            except IndexError:
                return
            callback()

    def result(self):
        """Waits for the answer, and gives or raises what it says. Whoever stops waiting gives the request up."""
        try:
            self.wait()
        except BaseException:
            self.drop()
            raise
        return self.get()

    def get(self):
        """Gives or raises what the answer says, which was waited for."""
        if not self.is_done():
            raise ended()
        if self.error() is not None:
            raise self._error
        return self.value()

    def drop(self):
        """Nobody wants the answer any more."""
        socket = self._socket
        if socket is not None:
            socket.forget(self._number)
            socket.notify(DROP, self._number)

    def error(self):
        """The exception that a request has ended with; None for one that went well."""
        kind, body = self._answer
        if kind == ERROR and self._error is None:
            self._error = exception(self._unpack(body))
        return self._error

    def value(self):
        """The result of a request that went well."""
        kind, body = self._answer
        if body:
            self._value = self._unpack(body)
            # It may be large.
            self._answer = kind, b""
        return self._value


class Inbox:
    """Where the items of a stream arrive. Knows nobody, so that a stream can be dropped."""

    def __init__(self, link):
        self._link = link
        self._frames = collections.deque()
        self._event = link.event()

    def __call__(self, kind, body):
        self._frames.append((kind, body))
        self._event.set()

    def take(self):
        """Waits for the next frame."""
        while True:
            try:
                return self._frames.popleft()
            except IndexError:
                event = self._event = self._link.event()
                # What came before was announced to the event before.
                if not self._frames and not event.wait():
                    raise ended()


class Stream:
    """The items that a remote method streams. Who closes or drops it lets the other side know."""

    # So many the server sends unasked (`WINDOW` of `dispatcher.rs`), and so many are granted at once. Not measured: as far as
    # streams of the module itself run ahead (`window.rs`).
    WINDOW = 64
    BATCH = WINDOW // 2

    def __init__(self, socket, number, inbox, unpack):
        self._socket = socket
        self._number = number
        self._inbox = inbox
        self._unpack = unpack
        self._taken = 0
        self._readers = []

    def __iter__(self):
        return self

    def __next__(self):
        # As with a generator, one at a time; a list, for its operations are atomic.
        self._readers.append(None)
        try:
            if len(self._readers) > 1:
                raise ValueError("another thread is reading this stream already")
            return self._next()
        finally:
            self._readers.pop()

    def _next(self):
        socket = self._socket
        if socket is None:
            raise StopIteration
        kind, body = self._inbox.take()
        if kind != ITEM:
            self._end()
            if kind == ERROR:
                raise exception(self._unpack(body))
            raise StopIteration
        self._taken += 1
        if self._taken == self.BATCH:
            self._taken = 0
            socket.grant(self._number, self.BATCH)
        return self._unpack(body)

    def _end(self):
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.forget(self._number)
        return socket

    def close(self):
        """Ends the stream; the other side is told."""
        socket = self._end()
        if socket is not None:
            socket.notify(DROP, self._number)
            # Whoever waits in another thread gets to know.
            self._inbox(END, b"")

    def __del__(self):
        try:
            self.close()
        except Exception:
            # At the end of the process anything may be gone.
            pass


def ended():
    """What is raised where waiting has no sense any more."""
    return LostRemote("the server of this process is shutting down")


def exception(parts):
    """The exception that the server tells of."""
    kind, name, message, traceback = parts
    if kind == "Remote":
        return RemoteError(name, message, traceback)
    if kind == "Timeout":
        # The message is complete.
        return TimeoutExpired.__new__(TimeoutExpired, message)
    if kind == "LostRemote":
        return LostRemote(message)
    if kind == "Closed":
        return LostRemote("the socket was closed during the call")
    return RuntimeError(message)
