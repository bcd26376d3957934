"""What the example `async_client` calls, in Python."""


def square(n):
    return n * n


def count(to):
    yield from range(to)
