"""Runs a program with the package `zerorpc`, whose sockets are held by whoever has started it: `piped.py PROGRAM ADDRESS`.

The link is as simple as one can be: a thread reads the frames from the standard input.
"""

import collections
import contextvars
import itertools
import os
import struct
import sys
import threading
import traceback
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import zerorpc  # noqa: E402
from bridge import codec  # noqa: E402

HEAD = struct.Struct(">QQB")


class Link:
    def __init__(self):
        self.handlers = {}
        self.event = threading.Event
        self.next_number = itertools.count(1).__next__
        self._outbox = collections.deque()
        self._writing = threading.Lock()
        self._output = os.dup(1)
        os.dup2(2, 1)
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, kind, number, body):
        # Never waits for another thread, nor for itself: objects that are dropped meanwhile send frames, too.
        self._outbox.append(HEAD.pack(len(body), number, kind) + body)
        while self._outbox and self._writing.acquire(False):
            try:
                frame = self._outbox.popleft()
                while frame:
                    frame = frame[os.write(self._output, frame):]
            except IndexError:
                pass
            finally:
                self._writing.release()

    def leave(self, kind, number):
        self.send(kind, number, b"")

    def _read(self):
        pipe = sys.stdin.buffer
        while True:
            head = pipe.read(HEAD.size)
            if not head:
                return
            length, number, kind = HEAD.unpack(head)
            body = pipe.read(length)
            handler = self.handlers.get(number)
            if handler is not None:
                handler(kind, body)


def raised(kind, function, *arguments, **options):
    """The exception of that kind that a call raises."""
    try:
        function(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError("%r did not raise %r" % (function, kind))


bridge = types.ModuleType("_zerorpc_bridge")
bridge.codec = codec
bridge.calls = types.SimpleNamespace(HEADER=contextvars.ContextVar("header", default={}))
bridge.link = Link()
sys.modules[bridge.__name__] = bridge
status = 1
try:
    exec(sys.argv[1], {"zerorpc": zerorpc, "bridge": bridge, "raised": raised, "address": sys.argv[2]})
    status = 0
except BaseException:
    traceback.print_exc()
# The reading thread holds the lock of the standard input, which an orderly end would want.
os._exit(status)
