"""Tests of names, marks and servers of the package `zerorpc`; run by `python3 -m unittest` and from the tests of the crate."""

import importlib
import os
import pickle
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path.insert(0, HERE)

import zerorpc  # noqa: E402
import zerorpc.exceptions  # noqa: E402
from bridge import codec, introspect, servers  # noqa: E402

# How many seconds anything may take; machines that run tests are slow and busy.
PATIENCE = 60


def exposed_by(server):
    return servers.name_of(server), servers.exposed_by(server)


class Servers(unittest.TestCase):
    """Servers as what is served."""

    class Thing:
        """A plain object."""

        def add(self, a, b):
            return a + b

        def run(self):
            return "ran"

        @property
        def broken(self):
            raise KeyError("not yet")

        _private = value = 7

    def test_a_class_that_derives(self):
        class Echo(zerorpc.Server):
            def echo(self, value):
                return value

            @zerorpc.stream
            def count(self):
                return [1, 2]

            def _hidden(self):
                pass

        class Named(Echo):
            def __init__(self):
                super().__init__(name="Other", heartbeat=None, pool_size=3)

        class Silent(Echo):
            def __init__(self):
                self.greeting = "hi"

        for kind, expected in ((Echo, "Echo"), (Named, "Other"), (Silent, "Silent")):
            name, methods = exposed_by(kind())
            self.assertEqual((name, sorted(methods)), (expected, ["count", "echo"]))
            self.assertEqual(methods["echo"](5), 5)
            self.assertEqual(introspect.pattern_of(methods["count"]), "stream")
        self.assertEqual(Echo()("echo", 1), 1)
        with self.assertRaises(NameError):
            Echo()("bind")

    def test_other_objects(self):
        name, methods = exposed_by(zerorpc.Server(self.Thing()))
        self.assertEqual((name, sorted(methods)), ("Thing", ["add", "run"]))
        name, methods = exposed_by(zerorpc.Server(self.Thing(), "named"))
        self.assertEqual(name, "named")
        name, methods = exposed_by(zerorpc.Server({"f": len}))
        self.assertEqual(methods, {"f": len})
        self.assertEqual(servers.name_of(zerorpc.Server(codec)), "bridge.codec")
        for receiver in (zerorpc.Puller, zerorpc.Subscriber):
            self.assertEqual(sorted(servers.exposed_by(receiver(self.Thing()))), ["add", "run"])
        for other in (self.Thing(), self.Thing, codec, {"f": len}, None, zerorpc.Server):
            self.assertIsNone(servers.exposed_by(other))
            self.assertIsNone(servers.name_of(other))

    def test_starting_is_refused(self):
        server = zerorpc.Server(self.Thing())
        for start in (lambda: server.bind("tcp://*:1"), lambda: server.connect("tcp://a:1"), server.run):
            with self.assertRaisesRegex(RuntimeError, r'served.*below `if __name__ == "__main__":`'):
                start()
        server.stop()
        server.close()


class Names(unittest.TestCase):
    def test_exceptions_are_as_in_the_reference(self):
        self.assertEqual(str(zerorpc.TimeoutExpired(3)), "timeout after 3s")
        self.assertEqual(str(zerorpc.TimeoutExpired(3, "calling")), "timeout after 3s, when calling")
        error = pickle.loads(pickle.dumps(zerorpc.RemoteError("E", "m", None)))
        self.assertEqual((error.name, error.msg, error.traceback, str(error)), ("E", "m", None, "E: m"))
        for kind in (zerorpc.RemoteError, zerorpc.TimeoutExpired, zerorpc.LostRemote):
            self.assertEqual(kind.__bases__, (Exception,))
            self.assertIs(kind, getattr(zerorpc.exceptions, kind.__name__))

    def test_marks(self):
        @zerorpc.stream
        def items():
            """All of them."""

        self.assertEqual((introspect.pattern_of(items), items.__doc__), ("stream", "All of them."))
        self.assertEqual(introspect.pattern_of(zerorpc.decorators.rep(iter)), "rep")
        self.assertEqual(zerorpc.rep(max)(3, 1, key=lambda n: -n), 1)
        self.assertIsNone(introspect.pattern_of(len))
        self.assertIs(introspect.unwrapped(items), items)

        class Thing:
            @zerorpc.stream
            @staticmethod
            def first():
                return [1]

            @zerorpc.rep
            @classmethod
            def second(cls):
                return [2]

        self.assertEqual([introspect.pattern_of(m) for m in (Thing().first, Thing().second)], ["stream", "rep"])

    def test_what_is_missing_says_so(self):
        for name in ("ServerBase", "gevent_zmq", "Events"):
            for how in ("zerorpc.%s", "from zerorpc import %s"):
                with self.subTest(how % name), self.assertRaises((AttributeError, ImportError)) as raised:
                    exec(how % name, {"zerorpc": zerorpc})
                self.assertIn("served code has no %r" % name, str(raised.exception))
                self.assertIn("pip install zerorpc", str(raised.exception))
            self.assertFalse(hasattr(zerorpc, name))
        with self.assertRaises(ModuleNotFoundError):
            importlib.import_module("zerorpc.core")
        with self.assertRaisesRegex(AttributeError, "'register_middleware'.* pip install zerorpc"):
            zerorpc.Context.get_instance().register_middleware(object())

    def test_all_names_are_there(self):
        names = {}
        exec("from zerorpc import *", names)
        self.assertLessEqual(set(zerorpc.__all__), set(names))

    def test_processes_without_a_bridge(self):
        program = """if True:
            import multiprocessing, zerorpc, zerorpc.exceptions
            from zerorpc import stream

            # Also while the children import this.
            client = zerorpc.Client("tcp://127.0.0.1:1")

            @stream
            def work(number):
                try:
                    client.work(number)
                except RuntimeError as error:
                    return number, str(error), zerorpc.current_header()

            if __name__ == "__main__":
                for method in ("spawn", "forkserver"):
                    with multiprocessing.get_context(method).Pool(1) as pool:
                        print(pool.map(work, [1]))
        """
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program.py")
            with open(path, "w") as file:
                file.write(program)
            environment = dict(os.environ, PYTHONPATH=HERE)
            output = subprocess.run(
                [sys.executable, path], env=environment, stdout=subprocess.PIPE, timeout=PATIENCE, check=True
            ).stdout.decode()
        self.assertEqual(output.count("pip install zerorpc"), 2, output)


if __name__ == "__main__":
    unittest.main()
