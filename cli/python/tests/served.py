"""A process that serves a module, as far as the tests of the package `zerorpc` need one."""

import contextvars
import os
import sys
import threading
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import zerorpc  # noqa: E402
from bridge import codec  # noqa: E402
from zerorpc import link as frames  # noqa: E402

# How many seconds anything may take; machines that run tests are slow and busy.
PATIENCE = 60


class Link:
    """The server's side, as far as these tests play it."""

    def __init__(self):
        self.handlers = {}
        self.sent = []
        self.arrived = threading.Condition()
        self.last = 0
        self.is_deaf = False

    def next_number(self):
        self.last += 1
        return self.last

    def event(self):
        return threading.Event()

    def send(self, kind, number, body):
        body = codec.unpack(bytes(body)) if body else None
        with self.arrived:
            self.sent.append((kind, number, body))
            self.arrived.notify_all()
        if kind == frames.LINK and not self.is_deaf:
            endpoint = None if body[1] == "disconnect" else body[2].replace("*", "4242")
            self.answer(number, frames.LINKED, endpoint)

    def leave(self, kind, number):
        self.send(kind, number, b"")

    def answer(self, number, kind, *value):
        handler = self.handlers.get(number)
        if handler is not None:
            handler(kind, bytes(codec.pack(*value)) if value else b"")

    def wait_for(self, kind, count=1):
        """The latest frame of a kind, when there are so many."""
        with self.arrived:
            there = self.arrived.wait_for(lambda: len(self.of(kind)) >= count, PATIENCE)
        assert there, "%d frames of kind %d, %d were expected" % (len(self.of(kind)), kind, count)
        return self.of(kind)[count - 1]

    def of(self, kind):
        return [(number, body) for sent, number, body in self.sent if sent == kind]


class Served(unittest.TestCase):
    """Tests in a process that serves a module."""

    def setUp(self):
        self.bridge = types.ModuleType("_zerorpc_bridge")
        self.bridge.codec = codec
        self.bridge.calls = types.SimpleNamespace(HEADER=contextvars.ContextVar("header", default={}))
        self.link = self.bridge.link = Link()
        sys.modules["_zerorpc_bridge"] = self.bridge
        self.addCleanup(sys.modules.pop, "_zerorpc_bridge")

    def client(self, *args, **options):
        return zerorpc.Client("tcp://127.0.0.1:1", *args, **options)

    def in_thread(self, function, *args):
        """Gives a function that waits for the result, or raises what `function` has raised."""
        outcome = []

        def run():
            try:
                outcome.append((function(*args), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=run)
        thread.start()

        def result():
            thread.join(PATIENCE)
            self.assertFalse(thread.is_alive())
            value, error = outcome[0]
            if error is not None:
                raise error
            return value

        return result
