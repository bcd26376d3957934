"""The private protocol between the server and this process: frames over two pipes.

A frame is a head of 17 bytes (length of the body, number of the call, kind) and a body, which is one
msgpack value or empty. The server's half is `frames.rs`.
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


class Wire:
    """Both pipes; `receive` is for one thread, `send` for all."""

    def __init__(self, pipe, output):
        self._pipe = pipe
        self._output = output
        self._lock = threading.Lock()
        self._forked = False
        # A process forked off by the served module must not keep the server waiting for our end.
        os.register_at_fork(after_in_child=self._let_go)

    def receive(self):
        """The next frame as (kind, call, body); None when the server is gone."""
        head = self._pipe.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        length, call, kind = HEAD.unpack(head)
        body = self._pipe.read(length)
        return (kind, call, body) if len(body) == length else None

    def send(self, kind, call, body=b""):
        """Sends one frame; waits while the pipe is full."""
        if self._forked:
            # A copy of this process that came back from its method has nobody to answer.
            os._exit(0)
        head = HEAD.pack(len(body), call, kind)
        parts = (head + body,) if len(body) < JOINED else (head, body)
        with self._lock:
            try:
                for part in parts:
                    rest = memoryview(part)
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
