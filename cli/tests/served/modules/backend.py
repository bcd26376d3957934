"""Who is called by others."""

import time

import zerorpc


def echo(value):
    return value


def add(a, b):
    return a + b


def fail(text):
    raise ValueError(text)


def numbers(n):
    for number in range(n):
        yield number


def numbers_then_fail(n):
    yield from range(n)
    raise KeyError("after %d" % n)


def slow(seconds):
    time.sleep(seconds)
    return "slow"


@zerorpc.stream
def marked(n):
    return list(range(n))


@zerorpc.rep
def kept(n):
    return list(range(n))


received = []


def receive(value):
    received.append(value)


def got():
    return received
