"""The private protocol between the server and this process: frames over two pipes.

A frame is a head of 17 bytes (length of the body, number of the call, kind) and a body, which is one
msgpack value or empty. The server's half is `frames.rs`.
"""

import _thread
import collections
import os
import select
import struct

HEAD = struct.Struct(">QQB")

# From here to the server.
READY = 0  # [service name, [[method, doc, signature]...]]; its number says how calls are run
REFUSED = 1  # [reason in one line, traceback]
VALUE = 2  # the result
STREAM = 3  # the result is a stream; empty
ITEM = 4  # one item of it
DONE = 5  # the end of it; empty
FAILURE = 6  # [name, message, traceback, whether a method has raised it]; ends a call or a stream
BEGUN = 7  # the call runs in a thread or greenlet of its own now; empty
ASYNC = 8  # the call runs on the event loop now; empty

# From the server to here. From 48 on it is about sockets that served code has opened.
CALL = 16  # [method, arguments] or [method, header, arguments]
CREDIT = 17  # [items, bytes] that the server has taken off a stream
CANCEL = 18  # nobody wants the answer any more; empty
OUTGOING = 48

# How calls are run.
SERIAL, THREADS, GREENLETS = range(3)

# Up to here, a body is copied behind its head instead of being written by itself. Not measured: so much is copied in some
# microseconds, and a pipe holds no more.
JOINED = 1 << 16

# How much is read at once: what a pipe holds.
CHUNK = 1 << 16

# How much of a large body is read at once. Not measured: more than most pipes hold.
LARGE_CHUNK = 1 << 20


class Wire:
    """Both pipes; `receive` is for one thread at a time, `send` for all."""

    def __init__(self, pipe, output):
        # Nothing is left in its buffer: the server sends no frame before it is told that we are ready.
        self._pipe = pipe
        self._input = pipe.fileno()
        self._output = output
        # What was read and is no whole frame yet.
        self._rest = b""
        self._sending = _thread.allocate_lock()
        # Frames without a body that wait for whoever is sending.
        self._left = collections.deque()
        self._poll = select.poll()
        self._poll.register(self._input, select.POLLIN)
        self._woken = self._wake = None
        self.read = self._read
        # A process forked off by the served module must not keep the server waiting for our end.
        os.register_at_fork(after_in_child=self._let_go)

    def filenos(self):
        """What is readable when there are frames, or somebody wakes the reader."""
        return [fd for fd in (self._input, self._woken) if fd is not None]

    def make_wakeable(self):
        """From now on `wake` ends the wait of `receive`; from any thread."""
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._poll.register(self._woken, select.POLLIN)

    def wake(self):
        """Lets `receive` come back, from any thread."""
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            pass

    def has_input(self, seconds=0):
        """Waits for so long at most; whether `receive` would not wait."""
        return bool(self._poll.poll(None if seconds is None else max(seconds, 0) * 1000))

    def is_closed(self):
        """Whether the server wants this process to end, or is gone."""
        return any(event & select.POLLHUP for _, event in self._poll.poll(0))

    def receive(self):
        """The next frames, as a list of (kind, number, body), empty when woken; None when the server is gone."""
        data, frames, start, unpack_head = self._rest, [], 0, HEAD.unpack_from
        while True:
            end = start + HEAD.size
            while end <= len(data):
                length, number, kind = unpack_head(data, start)
                if end + length > len(data):
                    break
                frames.append((kind, number, data[end:end + length]))
                start = end + length
                end = start + HEAD.size
            if frames:
                self._rest = data[start:]
                return frames
            # Nothing of `data` is used up: it ends within its first frame.
            if end <= len(data) and end + length - len(data) > CHUNK:
                return self._receive_large(kind, number, bytearray(data[end:]), length)
            if self._woken is not None and not data and self._was_woken():
                return frames
            more = self.read(self._input, CHUNK)
            if not more:
                return None
            data = data + more if data else more

    def _read(self, fd, size):
        while True:
            try:
                return os.read(fd, size)
            except BlockingIOError:
                # Some event loops make the pipes that they watch non-blocking.
                self._poll.poll()

    def _was_woken(self):
        ready = [fd for fd, _ in self._poll.poll()]
        if self._woken in ready:
            os.read(self._woken, CHUNK)
        return self._input not in ready

    def _receive_large(self, kind, number, body, length):
        """A frame that is worth a buffer of its own; `body` is what has come of it."""
        self._rest = b""
        while len(body) < length:
            more = self.read(self._input, min(length - len(body), LARGE_CHUNK))
            if not more:
                return None
            body += more
        return [(kind, number, bytes(body))]

    def send(self, kind, number, body=b""):
        """Sends one frame; waits while the pipe is full."""
        size = len(body)
        data = HEAD.pack(size, number, kind)
        if size < JOINED:
            data += body
        with self._sending:
            try:
                written = os.write(self._output, data)
                if written < len(data):
                    self._write_rest(data, written)
                if size >= JOINED:
                    self._write_rest(body, 0)
            except OSError:
                # The server is gone. `receive` sees that too, and ends this process.
                pass
        if self._left:
            self._send_left()

    def leave(self, kind, number):
        """Sends a frame without a body, and never waits for another thread: for destructors, which may run in the midst of
        `send`.
        """
        self._left.append(HEAD.pack(0, number, kind))
        self._send_left()

    def _send_left(self):
        # Whoever is sending looks again after that.
        while self._left and self._sending.acquire(False):
            try:
                self._write_rest(self._left.popleft(), 0)
            except (IndexError, OSError):
                pass
            finally:
                self._sending.release()

    def _write_rest(self, data, written):
        rest = memoryview(data)[written:]
        while rest:
            rest = rest[os.write(self._output, rest):]

    def _let_go(self):
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (self._input, self._output):
            os.dup2(nothing, fd, inheritable=False)
        os.close(nothing)
        self._sending = _thread.allocate_lock()
