"""Tests of the package `zerorpc` of served code; run by `python3 -m unittest` and from the tests of the crate."""

import asyncio
import contextvars
import copy
import gc
import os
import pickle
import sys
import threading
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import zerorpc  # noqa: E402
from bridge import codec  # noqa: E402
from zerorpc import link as frames  # noqa: E402

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


class Calls(Served):
    def call(self, function, *answers):
        before = len(self.link.of(frames.REQUEST))
        result = self.in_thread(function)
        number, body = self.link.wait_for(frames.REQUEST, before + 1)
        for kind, *value in answers:
            self.link.answer(number, kind, *value)
        return result(), body

    def test_ways_to_call(self):
        client = self.client()
        socket = self.link.of(frames.SOCKET)[0][0]
        ways = [
            (lambda: client.add(1, 2), ["add", [1, 2], {}]),
            (lambda: client("add", 1, 2), ["add", [1, 2], {}]),
            (lambda: client(b"connect"), ["connect", [], {}]),
            (lambda: client("bind", timeout=None), ["bind", [], {"timeout": None}]),
            (lambda: client.close_all(timeout=1, slots=5), ["close_all", [], {"timeout": 1.0, "slots": 5}]),
            (lambda: client._zerorpc_inspect(), ["_zerorpc_inspect", [], {}]),
            (lambda: client.add(1, async_=True).get(), ["add", [1], {}]),
            (lambda: client.add(1, **{"async": True}).get(timeout=PATIENCE), ["add", [1], {}]),
            (lambda: client.add(1, async_=False), ["add", [1], {}]),
        ]
        for way, expected in ways:
            with self.subTest(expected=expected):
                result, body = self.call(way, (frames.VALUE, {"sum": 3}))
                self.assertEqual(result, {"sum": 3})
                self.assertEqual(body, [socket] + expected + [{}])
        self.assertEqual(self.link.handlers, {})

    def test_options_of_clients(self):
        zerorpc.Client()
        zerorpc.Client(None, None, 3, None, True, slots=7)
        default, chosen = [body for _, body in self.link.of(frames.SOCKET)]
        self.assertEqual(default, ["client", {"timeout": 30.0, "heartbeat": 5.0, "passive": False, "slots": 100}])
        self.assertEqual(chosen, ["client", {"timeout": 3.0, "heartbeat": None, "passive": True, "slots": 7}])
        for wrong in ({"timeout": -1}, {"timeout": "soon"}, {"heartbeat": 0}, {"slots": 0}, {"timeout": float("nan")}):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "%s is a number of" % list(wrong)[0]):
                zerorpc.Client(**wrong)
        client = self.client()
        with self.assertRaisesRegex(TypeError, r"add\(\): .* not 'x'"):
            client.add(x=1)
        with self.assertRaises(ValueError):
            client.add(1, timeout=-1)
        self.assertEqual(self.link.of(frames.REQUEST), [])

    def test_links(self):
        client = zerorpc.Client(["tcp://a:1", "tcp://a:2"])
        self.assertEqual(client.bind("tcp://127.0.0.1:*"), ["tcp://127.0.0.1:4242"])
        self.assertEqual(client.connect(("tcp://a:3", ["tcp://a:4"])), ["tcp://a:3", "tcp://a:4"])
        self.assertEqual(client.disconnect(b"tcp://a:1"), [None])
        self.assertEqual(
            [body[1:] for _, body in self.link.of(frames.LINK)],
            [["connect", "tcp://a:1"], ["connect", "tcp://a:2"], ["bind", "tcp://127.0.0.1:*"],
             ["connect", "tcp://a:3"], ["connect", "tcp://a:4"], ["disconnect", "tcp://a:1"]],
        )

    def test_errors(self):
        client = self.client()
        table = [
            (["Remote", "ValueError", "no", "where"], zerorpc.RemoteError, "where"),
            (["Remote", "ValueError", "no", ""], zerorpc.RemoteError, "ValueError: no"),
            (["Timeout", "", "timeout after 3s, when calling remote method m", ""], zerorpc.TimeoutExpired,
             "timeout after 3s, when calling remote method m"),
            (["LostRemote", "", "gone", ""], zerorpc.LostRemote, "gone"),
            (["Closed", "", "closed", ""], zerorpc.LostRemote, "the socket was closed during the call"),
            (["Local", "", "no such place", ""], RuntimeError, "no such place"),
        ]
        for parts, kind, text in table:
            with self.subTest(parts=parts):
                with self.assertRaises(kind) as raised:
                    self.call(client.fail, (frames.ERROR, parts))
                self.assertIs(type(raised.exception), kind)
                self.assertEqual(str(raised.exception), text)
        with self.assertRaises(zerorpc.RemoteError) as raised:
            self.call(client.fail, (frames.ERROR, ["Remote", "ValueError", "no", "where"]))
        error = raised.exception
        self.assertEqual((error.name, error.msg, error.traceback), ("ValueError", "no", "where"))
        self.assertEqual(self.link.handlers, {})

    def test_what_cannot_be_sent_is_not_begun(self):
        client = self.client()
        with self.assertRaises(TypeError):
            client.add(object())
        self.assertEqual(self.link.handlers, {})
        self.assertEqual(self.link.of(frames.REQUEST), [])

    def test_headers_travel_on(self):
        client = self.client()
        self.assertEqual(zerorpc.current_header(), {})
        self.bridge.calls.HEADER.set({"trace": "t"})
        self.addCleanup(self.bridge.calls.HEADER.set, {})
        self.assertEqual(zerorpc.current_header(), {"trace": "t"})
        # Threads have none of their own accord.
        _, body = self.call(lambda: client.m(), (frames.VALUE, 1))
        self.assertEqual(body[-1], {})
        _, body = self.call(zerorpc.fork_task_context(lambda: client.m()), (frames.VALUE, 1))
        self.assertEqual(body[-1], {"trace": "t"})

    def test_a_call_that_is_interrupted_is_dropped(self):
        client = self.client()

        class Interrupted:
            def wait(self, timeout=None):
                raise KeyboardInterrupt

        self.link.event = Interrupted
        with self.assertRaises(KeyboardInterrupt):
            client.m()
        self.assertEqual(self.link.of(frames.DROP), [(self.link.of(frames.REQUEST)[0][0], None)])
        self.assertEqual(self.link.handlers, {})

    def test_the_end_of_the_server(self):
        client = self.client()

        class Over:
            def set(self):
                pass

            def wait(self, timeout=None):
                return False

        self.link.event = Over
        self.link.is_deaf = True
        for use in (client.m, client.m(async_=True).get, lambda: client.connect("tcp://a:1")):
            with self.assertRaisesRegex(zerorpc.LostRemote, "shutting down"):
                use()
        later = client.m(async_=True)
        self.link.answer(self.link.of(frames.REQUEST)[-1][0], frames.STREAM)
        with self.assertRaisesRegex(zerorpc.LostRemote, "shutting down"):
            next(later.value)

    def test_many_threads(self):
        client = self.client()
        results = [self.in_thread(client.double, number) for number in range(20)]
        self.link.wait_for(frames.REQUEST, 20)
        for number, body in reversed(self.link.of(frames.REQUEST)):
            self.link.answer(number, frames.VALUE, 2 * body[2][0])
        self.assertEqual([result() for result in results], [2 * number for number in range(20)])


class Later(Served):
    def begin(self):
        client = self.client()
        result = client.m(async_=True)
        number, _ = self.link.wait_for(frames.REQUEST)
        return client, result, number

    def test_results(self):
        client, result, number = self.begin()
        self.assertFalse(result.ready() or result.successful())
        self.assertIsNone(result.value or result.exception)
        self.assertIsNone(result.wait(0.01))
        with self.assertRaisesRegex(zerorpc.TimeoutExpired, "timeout after 0.01s, when waiting for the answer"):
            result.get(timeout=0.01)
        with self.assertRaises(zerorpc.TimeoutExpired):
            result.get_nowait()
        waiting = self.in_thread(result.get)
        self.link.answer(number, frames.VALUE, [7])
        self.assertEqual(waiting(), [7])
        self.assertTrue(result.ready() and result.successful())
        self.assertEqual((result.get(), result.wait(), result.value, result.exc_info), ([7], [7], [7], ()))

    def test_failures(self):
        _, result, number = self.begin()
        self.link.answer(number, frames.ERROR, ["Remote", "ValueError", "no", "where"])
        self.assertTrue(result.ready())
        self.assertFalse(result.successful())
        self.assertIsNone(result.value)
        for _ in range(2):
            with self.assertRaises(zerorpc.RemoteError) as raised:
                result.get()
            self.assertIs(raised.exception, result.exception)
        self.assertIs(result.exc_info[0], zerorpc.RemoteError)

    def test_what_nobody_keeps_is_run_all_the_same(self):
        client, result, number = self.begin()
        del client, result
        gc.collect()
        self.assertEqual(self.link.of(frames.DROP) + self.link.of(frames.CLOSE), [])
        self.link.answer(number, frames.STREAM)
        gc.collect()
        self.assertEqual(self.link.of(frames.DROP), [(number, None)])
        self.assertEqual(len(self.link.of(frames.CLOSE)), 1)
        self.assertEqual(self.link.handlers, {})

    def test_results_can_be_awaited(self):
        client = self.client()

        async def run():
            first = client.m(1, async_=True)
            second = client.m(2, async_=True)
            (one, _), (two, _) = self.link.of(frames.REQUEST)
            answer = threading.Timer(0.01, self.link.answer, (two, frames.VALUE, "two"))
            answer.start()
            self.assertEqual(await second, "two")
            self.link.answer(one, frames.ERROR, ["LostRemote", "", "gone", ""])
            with self.assertRaises(zerorpc.LostRemote):
                await first
            self.assertEqual(await asyncio.gather(second), ["two"])
            answer.join()

        asyncio.run(run())


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
