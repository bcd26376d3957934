"""Tests of what the bridge knows of the package zerorpc from PyPI; run where that is installed."""

import asyncio
import os
import sys
import unittest

# Behind the others: the package of this name there is ours.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import zerorpc  # noqa: E402
import zerorpc.core  # noqa: E402,F401 -- which ours lacks
from bridge import introspect, middleware, servers  # noqa: E402


def exposed_by(server):
    return servers.name_of(server), servers.exposed_by(server)


class Marks(unittest.TestCase):
    def test_decorated_functions(self):
        class Thing:
            @zerorpc.stream
            def items(self, count, start=0):
                """Numbers."""
                return range(start, start + count)

            @zerorpc.rep
            def one(self):
                return 1

            def plain(self):
                return 2

        thing = Thing()
        self.assertEqual(introspect.pattern_of(thing.items), "stream")
        self.assertEqual(introspect.pattern_of(thing.one), "rep")
        self.assertIsNone(introspect.pattern_of(thing.plain))
        self.assertEqual(introspect.unwrapped(thing.items).__func__.__code__.co_varnames, ("self", "count", "start"))
        self.assertEqual(list(introspect.unwrapped(thing.items)(2)), [0, 1])
        self.assertEqual(introspect.unwrapped(thing.plain), thing.plain)


class Servers(unittest.TestCase):
    def test_servers(self):
        class Echo(zerorpc.Server):
            def echo(self, value):
                return value

            @zerorpc.stream
            def count(self):
                return iter([1, 2])

            def generated(self):
                yield 3

        class Thing:
            def add(self, a, b):
                return a + b

        name, methods = exposed_by(Echo())
        self.assertEqual((name, sorted(methods)), ("Echo", ["count", "echo", "generated"]))
        self.assertEqual((methods["echo"](4), list(methods["count"]())), (4, [1, 2]))
        self.assertEqual(introspect.pattern_of(methods["count"]), "stream")
        # Without a mark, an iterator is a stream.
        self.assertIsNone(introspect.pattern_of(methods["generated"]))
        name, methods = exposed_by(zerorpc.Server(Thing(), "named"))
        self.assertEqual((name, sorted(methods), methods["add"](1, 2)), ("named", ["add"], 3))
        name, methods = exposed_by(zerorpc.Puller(Thing()))
        self.assertEqual((name, sorted(methods)), ("Puller", ["add"]))
        for other in (Thing(), Thing, zerorpc, {"f": len}, zerorpc.Server, zerorpc.Client()):
            self.assertIsNone(servers.exposed_by(other))
            self.assertIsNone(servers.name_of(other))


class Recorder:
    """A middleware that writes down what it is told."""

    def __init__(self):
        self.seen = []

    def load_task_context(self, header):
        self.seen.append(("load", header.get("trace")))

    def get_task_context(self):
        return {"trace": "mine"}

    def server_before_exec(self, request):
        self.seen.append(("before", request.name, tuple(request.args), request.header["v"]))
        if request.name == "forbidden":
            raise PermissionError("no")

    def server_after_exec(self, request, reply):
        self.seen.append(("after", request.name, reply.name, reply.args, reply.header["trace"]))

    def server_inspect_exception(self, request, reply, task_context, exc_infos):
        name, message, traceback = reply.args
        assert exc_infos[0].__name__ == name and message in traceback
        self.seen.append(("inspect", request.name, reply.name, name, message, task_context))


class Middlewares(unittest.TestCase):
    def setUp(self):
        self.recorder = Recorder()
        self.context = zerorpc.Context.get_instance()
        self.forget()
        self.addCleanup(self.forget)
        self.context.register_middleware(self.recorder)

    def forget(self):
        for hooks in self.context._hooks.values():
            hooks.clear()

    def wrap(self, function, name="method"):
        return middleware.wrap(introspect.Method(name, function), {"trace": "theirs"})

    START = [("load", "theirs"), ("before", "method", (1, 2), 3)]

    def after(self, name, args):
        return self.START + [("after", "method", name, args, "mine")]

    def failed(self, name, message):
        return self.START + [("inspect", "method", "ERR", name, message, {"trace": "mine"})]

    def test_nothing_to_do(self):
        self.forget()
        self.assertIsNone(self.wrap(len))
        # Hooks of clients are none of ours.
        self.context.register_middleware({"client_before_request": print})
        self.assertIsNone(self.wrap(len))

    def test_values(self):
        self.assertEqual(self.wrap(lambda a, b: [a, b])(1, 2), [1, 2])
        self.assertEqual(self.recorder.seen, self.after("OK", ([1, 2],)))

    def test_failures(self):
        def fail(a, b):
            raise ValueError("wrong")

        with self.assertRaises(ValueError):
            self.wrap(fail)(1, 2)
        self.assertEqual(self.recorder.seen, self.failed("ValueError", "wrong"))
        self.recorder.seen.clear()
        with self.assertRaises(PermissionError):
            self.wrap(fail, "forbidden")(1, 2)
        self.assertEqual(self.recorder.seen[-1][:4], ("inspect", "forbidden", "ERR", "PermissionError"))
        self.recorder.seen.clear()

        def lose(a, b):
            raise zerorpc.LostRemote("gone")

        with self.assertRaises(zerorpc.LostRemote):
            self.wrap(lose)(1, 2)
        self.assertEqual(self.recorder.seen, self.START)

    def test_streams(self):
        def items(a, b):
            yield from (a, b)

        stream = self.wrap(items)(1, 2)
        self.assertEqual(self.recorder.seen, self.START)
        self.assertEqual(list(stream), [1, 2])
        self.assertEqual(self.recorder.seen, self.after("STREAM_DONE", None))
        self.recorder.seen.clear()
        marked = self.wrap(zerorpc.stream(lambda a, b: [a, b]))(1, 2)
        self.assertEqual(list(marked), [1, 2])
        self.assertEqual(self.recorder.seen, self.after("STREAM_DONE", None))

    def test_streams_that_end_early(self):
        ended = []

        def items(a, b):
            try:
                yield a
                raise ValueError("wrong")
            finally:
                ended.append(True)

        with self.assertRaises(ValueError):
            list(self.wrap(items)(1, 2))
        self.assertEqual(self.recorder.seen, self.failed("ValueError", "wrong"))
        self.recorder.seen.clear()
        stream = self.wrap(items)(1, 2)
        next(stream)
        stream.close()
        self.assertEqual((self.recorder.seen, ended), (self.START, [True, True]))

    def test_async_methods(self):
        async def value(a, b):
            await asyncio.sleep(0)
            return a + b

        async def fail(a, b):
            raise ValueError("wrong")

        async def items(a, b):
            yield a
            yield b

        async def failing_items(a, b):
            yield a
            raise ValueError("wrong")

        async def run(function):
            result = self.wrap(function)(1, 2)
            self.assertEqual(self.recorder.seen, self.START)
            return [item async for item in result] if hasattr(result, "__anext__") else await result

        self.assertEqual(asyncio.run(run(value)), 3)
        self.assertEqual(self.recorder.seen, self.after("OK", (3,)))
        self.recorder.seen.clear()
        self.assertEqual(asyncio.run(run(items)), [1, 2])
        self.assertEqual(self.recorder.seen, self.after("STREAM_DONE", None))
        for failing in (fail, failing_items):
            self.recorder.seen.clear()
            with self.assertRaises(ValueError):
                asyncio.run(run(failing))
            self.assertEqual(self.recorder.seen, self.failed("ValueError", "wrong"))

    def test_without_a_context(self):
        zerorpc.Context._instance = None
        self.addCleanup(setattr, zerorpc.Context, "_instance", self.context)
        self.assertIsNone(self.wrap(len))


if __name__ == "__main__":
    unittest.main()
