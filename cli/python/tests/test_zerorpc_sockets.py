"""Tests of sockets and streams of the package `zerorpc`; run by `python3 -m unittest` and from the tests of the crate."""

import contextvars
import copy
import gc
import os
import pickle
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from served import Link, Served, frames, zerorpc  # noqa: E402


class Streams(Served):
    def begin(self):
        client = self.client()
        stream = self.in_thread(client.count)
        number, _ = self.link.wait_for(frames.REQUEST)
        self.link.answer(number, frames.STREAM)
        return stream(), number

    def test_items_and_grants(self):
        stream, number = self.begin()
        self.assertIs(iter(stream), stream)
        for item in range(64):
            self.link.answer(number, frames.ITEM, item)
        self.assertEqual([next(stream) for _ in range(31)], list(range(31)))
        self.assertEqual(self.link.of(frames.GRANT), [])
        self.assertEqual(next(stream), 31)
        self.assertEqual(self.link.of(frames.GRANT), [(number, [32])])
        self.link.answer(number, frames.END)
        self.assertEqual(list(stream), list(range(32, 64)))
        self.assertEqual(list(stream), [])
        del stream
        gc.collect()
        self.assertEqual(self.link.of(frames.DROP), [])
        self.assertEqual(self.link.handlers, {})

    def test_items_that_are_waited_for(self):
        stream, number = self.begin()
        items = self.in_thread(list, stream)
        for item in range(1000):
            self.link.answer(number, frames.ITEM, item)
        self.link.answer(number, frames.END)
        self.assertEqual(items(), list(range(1000)))
        self.assertEqual(len(self.link.of(frames.GRANT)), 31)

    def test_errors_end_them(self):
        stream, number = self.begin()
        self.link.answer(number, frames.ITEM, 1)
        self.link.answer(number, frames.ERROR, ["Remote", "ValueError", "no", "where"])
        self.assertEqual(next(stream), 1)
        with self.assertRaises(zerorpc.RemoteError):
            next(stream)
        self.assertEqual(list(stream), [])
        self.assertEqual(self.link.of(frames.DROP), [])

    def test_closing_and_dropping(self):
        stream, number = self.begin()
        waiting = self.in_thread(list, stream)
        stream.close()
        stream.close()
        self.assertEqual(waiting(), [])
        self.assertEqual(list(stream), [])
        self.assertEqual(self.link.of(frames.DROP), [(number, None)])
        # Without a name for its client, which it keeps open.
        sockets = len(self.link.of(frames.SOCKET))
        self.link.sent.clear()
        stream, number = self.begin()
        self.assertEqual((sockets, self.link.of(frames.CLOSE)), (1, []))
        del stream
        gc.collect()
        self.assertEqual(self.link.of(frames.DROP), [(number, None)])
        self.assertEqual(len(self.link.of(frames.CLOSE)), 1)
        self.assertEqual(self.link.handlers, {})
        # What was on its way.
        self.link.answer(number, frames.ITEM, 1)

    def test_what_has_come_outlives_its_socket(self):
        stream, number = self.begin()
        for item in range(64):
            self.link.answer(number, frames.ITEM, item)
        stream._socket.close()
        self.link.answer(number, frames.ERROR, ["Closed", "", "the socket is closed", ""])
        self.assertEqual([next(stream) for _ in range(64)], list(range(64)))
        with self.assertRaises(zerorpc.LostRemote):
            next(stream)

    def test_one_reader_at_a_time(self):
        stream, number = self.begin()
        first = self.in_thread(next, stream)
        while not stream._readers:
            pass
        with self.assertRaisesRegex(ValueError, "another thread"):
            next(stream)
        self.link.answer(number, frames.ITEM, 1)
        self.assertEqual(first(), 1)
        self.link.answer(number, frames.ITEM, 2)
        self.assertEqual(next(stream), 2)


class Sockets(Served):
    def test_closing(self):
        with self.client() as client:
            socket, _ = self.link.of(frames.SOCKET)[0]
        client.close()
        self.assertEqual(self.link.of(frames.CLOSE), [(socket, None)])
        for use in (client.add, lambda: client.connect("tcp://a:1"), lambda: client.m(async_=True)):
            with self.assertRaisesRegex(RuntimeError, "this client is closed"):
                use()
        del client, use
        gc.collect()
        self.assertEqual(len(self.link.of(frames.CLOSE)), 1)

    def test_dropping_closes(self):
        client = self.client()
        method = client.add
        del client
        gc.collect()
        self.assertEqual(self.link.of(frames.CLOSE), [])
        del method
        gc.collect()
        self.assertEqual(len(self.link.of(frames.CLOSE)), 1)

    def test_probing_calls_nobody(self):
        client = self.client()
        for probe in (copy.copy, copy.deepcopy, pickle.dumps):
            with self.subTest(probe), self.assertRaisesRegex(TypeError, "neither be copied nor pickled"):
                probe(client)
        for name in ("__wrapped__", "_private", "__len__", "_repr_html_"):
            self.assertFalse(hasattr(client, name), name)
        repr(client), dir(client), bool(client)
        self.assertFalse(client.debug)
        self.assertEqual(self.link.of(frames.REQUEST), [])

    def test_subclasses(self):
        class Greeter(zerorpc.Client):
            def __init__(self):
                self.greeting = "hello"
                super().__init__("tcp://a:1", timeout=1)

            def greet(self, name):
                return self.greet_in(self.greeting, name)

        greeter = Greeter()
        result = self.in_thread(greeter.greet, "world")
        number, body = self.link.wait_for(frames.REQUEST)
        self.assertEqual(body[1:3], ["greet_in", ["hello", "world"]])
        self.link.answer(number, frames.VALUE, "hello world")
        self.assertEqual(result(), "hello world")

    def test_copies_of_the_process_use_no_sockets(self):
        client = self.client()
        stale = self.link
        for link, says in ((None, "pip install zerorpc"), (Link(), "belongs to another process")):
            self.bridge.link = link
            with self.assertRaisesRegex(RuntimeError, says):
                client.add(1)
        count = len(stale.sent)
        client.close()
        del client
        gc.collect()
        self.assertEqual(len(stale.sent), count)

    def test_events(self):
        self.bridge.calls.HEADER.set({"trace": 1})
        for kind, role in ((zerorpc.Pusher, "pusher"), (zerorpc.Publisher, "publisher")):
            with self.subTest(role), kind() as sender:
                socket, body = self.link.of(frames.SOCKET)[-1]
                self.assertEqual(body, [role, {}])
                self.assertEqual(sender.bind("tcp://127.0.0.1:*"), ["tcp://127.0.0.1:4242"])
                for send in (lambda: sender.note(1, "x"), lambda: sender(b"note", 1, "x")):
                    count = len(self.link.of(frames.EMIT))
                    sent = self.in_thread(contextvars.copy_context().run, send)
                    number, body = self.link.wait_for(frames.EMIT, count + 1)
                    self.assertEqual(body, [socket, "note", [1, "x"], {"trace": 1}])
                    self.link.answer(number, frames.LINKED, None)
                    self.assertIsNone(sent())
                waiting = self.in_thread(sender.note)
                number, _ = self.link.wait_for(frames.EMIT, count + 2)
                self.link.answer(number, frames.ERROR, ["Timeout", "", "timeout after 30s", ""])
                with self.assertRaises(zerorpc.TimeoutExpired):
                    waiting()


if __name__ == "__main__":
    unittest.main()
