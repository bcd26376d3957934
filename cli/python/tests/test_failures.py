"""Tests of what is said of exceptions; run by `python3 -m unittest` and from the tests of the crate."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bridge import codec, failures  # noqa: E402

HERE = os.path.abspath(__file__)
OURS = failures.OURS


def run(source, filename, **names):
    """Runs source text as if it stood in a file."""
    exec(compile(source, filename, "exec"), names)


def caught(function):
    try:
        function()
    except BaseException as error:
        return error
    raise AssertionError("raised nothing")


def files(text):
    return [line.split('"')[1] for line in text.splitlines() if line.lstrip(" |+-").startswith("File ")]


class Odd(Exception):
    def __str__(self):
        raise ValueError


class Tracebacks(unittest.TestCase):
    def test_frames_of_the_bridge_are_left_out_wherever_they_are(self):
        def inner():
            run("raise KeyError(1)", OURS + "inner.py")

        def middle():
            try:
                inner()
            except KeyError as error:
                run("raise ValueError(2) from error", OURS + "middle.py", error=error)

        error = caught(lambda: run("call()", OURS + "outer.py", call=middle))
        text = failures.traceback_of(error)
        self.assertNotIn(OURS, text)
        self.assertIn("direct cause", text)
        self.assertEqual(text.count(failures.HEADLINE), 2)
        self.assertTrue(text.endswith("\nValueError: 2\n"), text)
        self.assertEqual(set(map(os.path.abspath, files(text))), {HERE})
        self.assertIn("in middle\n", text)

    def test_without_any_frame_of_the_module(self):
        error = caught(lambda: run("raise ValueError(1)", OURS + "x.py"))
        while error.__traceback__.tb_next is not None:
            error.__traceback__ = error.__traceback__.tb_next
        self.assertEqual(failures.traceback_of(error), failures.HEADLINE + "ValueError: 1\n")
        self.assertEqual(failures.traceback_of(Odd()).partition("\n")[0] + "\n", failures.HEADLINE)

    @unittest.skipIf(sys.version_info < (3, 11), "groups of exceptions came with 3.11")
    def test_groups(self):
        parts = [caught(lambda: run("raise KeyError(%d)" % n, OURS + "x.py")) for n in range(2)]
        text = failures.traceback_of(caught(lambda: run("raise ExceptionGroup('two', parts)", "m.py", parts=parts)))
        self.assertNotIn(OURS, text)
        self.assertIn("KeyError: 1", text)
        self.assertIn("m.py", files(text))

    def test_many_causes(self):
        error = None
        for n in range(300):
            following = ValueError(n)
            following.__context__, error = error, following
        self.assertTrue(failures.traceback_of(error).endswith("ValueError: 299\n"))


class Imports(unittest.TestCase):
    def test_only_files_of_the_module(self):
        error = caught(lambda: run("import json; json.loads('?')", "/home/me/service.py"))
        found = files(failures.import_traceback_of(error))
        self.assertEqual([name for name in found if os.path.abspath(name) != HERE], ["/home/me/service.py"])
        self.assertIn(json.decoder.__file__, files(failures.traceback_of(error)))

    def test_files_of_others_where_there_are_no_more(self):
        error = caught(lambda: json.loads("?"))
        # As if the first frame were one of the bridge.
        error.__traceback__ = error.__traceback__.tb_next.tb_next
        found = files(failures.import_traceback_of(error))
        self.assertEqual(found[0], json.__file__)

    def test_machinery(self):
        error = caught(lambda: __import__("importlib").import_module("no_such.module"))
        self.assertEqual([name for name in files(failures.import_traceback_of(error)) if "importlib" in name], [])

    def test_version(self):
        error = caught(lambda: compile("print 1", "service.py", "exec"))
        text = failures.import_traceback_of(error)
        self.assertIn('File "service.py", line 1\n', text)
        self.assertTrue(text.endswith("\nPython is %s\n" % " ".join(sys.version.split())), text)
        self.assertNotIn("Python is", failures.import_traceback_of(ValueError()))


class Texts(unittest.TestCase):
    def test_frames(self):
        name, message, trace, raised = codec.unpack(bytes(failures.failure(ValueError("bad \udc80"))))
        self.assertEqual((name, message), ("ValueError", "bad \\udc80"))
        self.assertTrue(trace.startswith(failures.HEADLINE))
        self.assertIs(raised, True)
        self.assertEqual(codec.unpack(bytes(failures.unknown("f"))), ["NameError", "f", ""])
        self.assertEqual(failures.message_of(Odd()), "<no text: str() of this Odd fails>")
        self.assertEqual(failures.last_line(ValueError("a\nb")), "ValueError: a b")


if __name__ == "__main__":
    unittest.main()
