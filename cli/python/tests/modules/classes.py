"""Objects and classes to serve."""

import functools

import zerorpc


def logged(function):
    @functools.wraps(function)
    def inner(*args):
        return function(*args)

    return inner


class Counter:
    """Counts."""

    unit = "things"

    def __init__(self, start=0):
        self.value = start

    def add(self, amount=1, *rest, **more):
        """Adds.

        More about adding.
        """
        self.value += amount
        return self.value

    @zerorpc.stream
    def upto(self, end):
        """Streams."""
        return range(end)

    @staticmethod
    def double(number):
        return 2 * number

    @classmethod
    def name(cls):
        return cls.__name__

    @zerorpc.stream
    @staticmethod
    def static_stream(n):
        return [n, n]

    @logged
    def wrapped(self, value, fallback=None):
        return value

    @property
    def broken(self):
        raise RuntimeError("not yet")

    async def later(self, a, *, only_by_name=1):
        return a

    def odd_default(self, thing=object):
        return None

    def _hidden(self):
        return None


class Demanding:
    def __init__(self, needed):
        pass


class Callable:
    def __call__(self):
        return self

    def method(self):
        return 1


instance = Counter(100)
table = {"five": lambda: 5, "_hidden": lambda: 6, "text": "no method"}
