"""Tests of what is told of methods; run by `python3 -m unittest` and from the tests of the crate."""

import functools
import os
import sys
import types
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bridge import codec, failures, introspect  # noqa: E402

try:
    from zerorpc import decorators as package
except ImportError:
    package = None


def marked(function, mark):
    function.__zerorpc_pattern__ = mark
    return function


def logged(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


class Service:
    """Served."""

    looks = 0

    def plain(self, a, b=1, *rest, mode="r", needed, **more):
        """Plain."""

    def starred(self, *, only):
        pass

    def two(self, *, first, second, third=3):
        pass

    @logged
    def wrapped(self, *, only):
        pass

    def calls(self, inner=None, *, hidden=1):
        return self.starred()

    def bad_default(self, *, thing=object, good={1}):
        pass

    @property
    def counted(self):
        type(self).looks += 1
        return lambda: None

    @property
    def broken(self):
        raise RuntimeError("not yet")


def described(service):
    name, listed = codec.unpack(bytes(introspect.describe(service, introspect.methods_of(service))))
    return name, {method: (doc, signature) for method, doc, signature in listed}


class Listing(unittest.TestCase):
    def test_signatures(self):
        name, methods = described(Service())
        self.assertEqual(name, "Service")
        self.assertEqual(list(methods), sorted(methods))
        self.assertNotIn("broken", methods)
        self.assertEqual(methods["plain"], ("Plain.", [
            [["self"], ["a"], ["b", 1]], "rest", "more", [["mode", "r"], ["needed"]],
        ]))
        self.assertEqual(methods["starred"][1], [[["self"]], None, None, [["only"]]])
        self.assertEqual(methods["wrapped"][1], [[["self"]], None, None, [["only"]]])
        self.assertEqual(methods["bad_default"][1],
                         [[["self"]], None, None, [["thing", "<class 'object'>"], ["good", [1]]]])

    def test_properties_are_read_once(self):
        Service.looks = 0
        described(Service())
        self.assertEqual(Service.looks, 1)

    def test_documented(self):
        for name, doc, found in [
            ("strftime", "strftime(format[, tuple]) -> string", ([["format"], ["tuple", None]], None, None, [])),
            ("print", "print(value, ..., sep=' ', file=sys.stdout)",
             ([["value"]], "args", None, [["sep", " "], ["file", "sys.stdout"]])),
            ("max", "max(iterable, *[, default=obj, key=func]) -> value",
             ([["iterable"]], None, None, [["default", "obj"], ["key", "func"]])),
            ("f", "f(a, /, *args, b=2, **kwargs)", ([["a"]], "args", "kwargs", [["b", 2]])),
            ("f", "m.f()", ([], None, None, [])), ("f", "Does f.", None), ("f", "f(a, b=(1,", None),
            ("f", None, None), ("", "(a)", None),
        ]:
            with self.subTest(doc=doc):
                self.assertEqual(introspect.documented_signature(name, doc), found)


class Explanations(unittest.TestCase):
    def explained(self, name, *arguments):
        method = introspect.methods_of(Service())[name]
        try:
            method.function(*arguments)
        except Exception as error:
            return error, introspect.explained(method, error)
        raise AssertionError("raised nothing")

    def test_what_callers_can_not_give(self):
        for name, arguments, text in [
            ("starred", (), "starred() needs the keyword-only argument 'only', which callers of a service can not give; "
                            "give it a default"),
            ("wrapped", (), "wrapped() needs the keyword-only argument 'only', which"),
            ("two", (), "two() needs the keyword-only arguments 'first', 'second', which callers of a service can not "
                        "give; give them defaults"),
            ("plain", (1, 2, 3), "plain() needs the keyword-only argument 'needed', which"),
        ]:
            with self.subTest(name=name):
                error, told = self.explained(name, *arguments)
                self.assertIs(type(told), TypeError)
                self.assertTrue(str(told).startswith(text), told)
                self.assertNotIn(str(error), failures.traceback_of(told))

    def test_other_errors_stay(self):
        for name, arguments in [
            # What a body does wrong is not the caller's trouble.
            ("calls", ()), ("starred", (1,)), ("plain", ()), ("bad_default", (1,)),
        ]:
            with self.subTest(name=name):
                error, told = self.explained(name, *arguments)
                self.assertIs(told, error)
        method = introspect.Method("f", len)
        error = TypeError("missing 1 required keyword-only argument")
        self.assertIs(introspect.explained(method, error), error)
        self.assertIs(introspect.explained(method, ValueError()).__class__, ValueError)


class Marks(unittest.TestCase):
    def test_ours(self):
        stream = introspect.Method("f", marked(lambda: None, "stream"))
        rep = introspect.Method("f", marked(lambda: None, "rep"))
        plain = introspect.Method("f", lambda: None)
        self.assertTrue(stream.streams([1]) and stream.streams(iter([])))
        self.assertFalse(rep.streams([1]) or rep.streams(iter([])))
        self.assertTrue(plain.streams(iter([])) and not plain.streams([1]))

    def test_of_the_package(self):
        # The decorators as they stand in the package, whether that is installed or not.
        for found in filter(None, (package, self.like_the_package())):
            class Decorated:
                @found.stream
                def items(self, n, *, step=1):
                    """Items."""
                    return [n, step]

                @found.stream
                async def later(self):
                    yield 1

                @found.rep
                @found.stream
                def one(self, *rest):
                    return iter(rest)

            methods = introspect.methods_of(Decorated())
            self.assertTrue(methods["items"].is_stream)
            self.assertTrue(methods["items"].streams([1]))
            self.assertEqual(methods["items"].function(2), [2, 1])
            self.assertFalse(methods["one"].is_stream or methods["one"].streams(iter([])))
            self.assertTrue(introspect.is_async(methods["later"].function))
            self.assertFalse(introspect.is_async(methods["items"].function))
            told = described(Decorated())[1]
            self.assertEqual(told["items"], ("Items.", [[["self"], ["n"]], None, None, [["step", 1]]]))
            self.assertEqual(told["one"], (None, [[["self"]], "rest", None, []]))

    def like_the_package(self):
        class ReqRep:
            pass

        class ReqStream:
            pass

        class DecoratorBase:
            pattern = None

            def __init__(self, functor):
                self._functor = functor
                self.__doc__ = functor.__doc__
                self.__name__ = getattr(functor, "__name__", str(functor))

            def __get__(self, instance, owner=None):
                return self if instance is None else type(self)(self._functor.__get__(instance, owner))

            def __call__(self, *args, **kwargs):
                return self._functor(*args, **kwargs)

        rep = type("rep", (DecoratorBase,), {"pattern": ReqRep()})
        return types.SimpleNamespace(rep=rep, stream=type("stream", (DecoratorBase,), {"pattern": ReqStream}))

    def test_attributes_that_mean_something_else(self):
        class Anything:
            def __getattr__(self, name):
                if name.startswith("__"):
                    raise AttributeError(name)
                return self

            def __call__(self):
                """Any."""

        method = introspect.Method("f", Anything())
        self.assertFalse(method.is_stream)
        self.assertIs(introspect.unwrapped(method.function), method.function)


if __name__ == "__main__":
    unittest.main()
