"""The private protocol between the server and this process: frames over two pipes.

A frame is a head of 17 bytes (length of the body, number of the call, kind) and a body, which is one
msgpack value or empty. The server's half is `frames.rs`.

Both directions move as many frames at once as there are: `receive` takes whatever a single read gives,
and `flush` writes whatever was `put` until then, also by other threads.
"""

import os
import struct
import threading

HEAD = struct.Struct(">QQB")

# From here to the server.
READY = 0  # [service name, [[method, doc, signature]...]]
REFUSED = 1  # [reason in one line, traceback]
VALUE = 2  # the result
STREAM = 3  # the result is a stream; empty
ITEM = 4  # one item of it
DONE = 5  # the end of it; empty
FAILURE = 6  # [name, message, traceback]; ends a call or a stream

# From the server to here.
CALL = 16  # [method, arguments]
CREDIT = 17  # [items, bytes] that the server has taken off a stream
CANCEL = 18  # nobody wants the answer any more; empty

# Up to here, one copy is cheaper than a second system call.
JOINED = 1 << 16

# How much is read at once.
CHUNK = 1 << 16


class Wire:
    """Both pipes; `receive` is for one thread at a time, everything else for all."""

    def __init__(self, pipe, output):
        self._pipe = pipe
        self._output = output
        # What was read and is no whole frame yet.
        self._rest = b""
        # Heads and bodies that wait to be written. Anybody appends; only who has `_writing` removes.
        self._outbox = []
        self._writing = threading.Lock()
        self._forked = False
        # A process forked off by the served module must not keep the server waiting for our end.
        os.register_at_fork(after_in_child=self._let_go)

    def receive(self):
        """The next frames, at least one, as a list of (kind, call, body); None when the server is gone."""
        data, frames, start, unpack_head = self._rest, [], 0, HEAD.unpack_from
        while True:
            end = start + HEAD.size
            while end <= len(data):
                length, call, kind = unpack_head(data, start)
                if end + length > len(data):
                    break
                frames.append((kind, call, data[end:end + length]))
                start = end + length
                end = start + HEAD.size
            if frames:
                self._rest = data[start:]
                return frames
            # Nothing of `data` is used up: it ends within its first frame.
            if end <= len(data) and end + length - len(data) > CHUNK:
                return self._receive_large(kind, call, data[end:], length)
            more = self._pipe.read1(CHUNK)
            if not more:
                return None
            data = data + more if data else more

    def _receive_large(self, kind, call, begun, length):
        """A frame that is worth a read of its own; `begun` is what has come of its body."""
        self._rest = b""
        body = begun + self._pipe.read(length - len(begun))
        return [(kind, call, body)] if len(body) == length else None

    def put(self, kind, call, body=b""):
        """Leaves a frame for the next `flush`, which has to come within a moment."""
        if self._forked:
            # A copy of this process that came back from its method has nobody to answer.
            os._exit(0)
        # In one step, so that no other thread's frame gets in between.
        self._outbox.extend((HEAD.pack(len(body), call, kind), body))

    def send(self, kind, call, body=b""):
        """Sends one frame; waits while the pipe is full, unless another thread does already."""
        self.put(kind, call, body)
        self.flush()

    def waits(self):
        """Whether anything was put that is not written yet."""
        return bool(self._outbox) or self._writing.locked()

    def flush(self):
        """Writes what waits. If another thread is writing already, that one writes this too."""
        outbox = self._outbox
        while outbox and self._writing.acquire(False):
            try:
                count = len(outbox)
                parts = outbox[:count]
                del outbox[:count]
                self._write(parts)
            finally:
                self._writing.release()

    def _write(self, parts):
        try:
            for part in _joined(parts):
                written = os.write(self._output, part)
                if written < len(part):
                    rest = memoryview(part)[written:]
                    while rest:
                        rest = rest[os.write(self._output, rest):]
        except OSError:
            # The server is gone. `receive` sees that too, and ends this process.
            pass

    def _let_go(self):
        self._forked = True
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self._output, inheritable=False)
        os.dup2(nothing, self._pipe.fileno(), inheritable=False)
        os.close(nothing)


def _joined(parts):
    """The same bytes in fewer parts: small ones are copied together, large ones stay as they are."""
    small = []
    for part in parts:
        if len(part) < JOINED:
            small.append(part)
            continue
        if small:
            yield b"".join(small)
            small.clear()
        yield part
    if small:
        yield b"".join(small)
