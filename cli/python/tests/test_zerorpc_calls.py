"""Tests of calls with the package `zerorpc`; run by `python3 -m unittest` and from the tests of the crate."""

import asyncio
import gc
import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from served import PATIENCE, Served, frames, zerorpc  # noqa: E402


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


if __name__ == "__main__":
    unittest.main()
