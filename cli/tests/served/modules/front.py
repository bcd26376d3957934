"""Calls another service: a client per call, one made while importing, one kept in an object."""

import os

import zerorpc

ADDRESS = os.environ["BACKEND"]
shared = zerorpc.Client(ADDRESS)
bare = zerorpc.Client(timeout=20, heartbeat=2)
bare.connect(ADDRESS)


def per_call(value):
    client = zerorpc.Client(ADDRESS)
    try:
        return client.echo(value)
    finally:
        client.close()


def per_call_connecting(value):
    client = zerorpc.Client(timeout=30)
    client.connect(ADDRESS)
    answer = client("echo", value)
    client.close()
    return answer


def at_import(value):
    return shared.echo(value)


def without_address(value):
    return bare.echo(value)


def by_name(a, b):
    return shared("add", a, b)


async def from_async(value):
    return shared.echo(value)


def error():
    try:
        shared.fail("bad value")
    except zerorpc.RemoteError as failure:
        return [failure.name, failure.msg, "backend.py" in failure.traceback, "bad value" in str(failure)]


def error_of_module():
    from zerorpc import exceptions

    try:
        shared.fail("again")
    except exceptions.RemoteError as failure:
        assert isinstance(failure, zerorpc.exceptions.RemoteError)
        return failure.msg


def passed_on():
    return shared.fail("passed on")


def unknown():
    try:
        shared.no_such_method()
    except zerorpc.RemoteError as failure:
        return failure.name


def expired():
    try:
        shared.slow(3, timeout=0.2)
    except zerorpc.TimeoutExpired as failure:
        return str(failure)


def expired_client():
    client = zerorpc.Client(ADDRESS, timeout=0.2)
    try:
        client.slow(3)
    except zerorpc.TimeoutExpired:
        return "expired"
    finally:
        client.close()


def nobody():
    client = zerorpc.Client("tcp://127.0.0.1:9", timeout=0.3)
    try:
        client.echo(1)
    except (zerorpc.TimeoutExpired, zerorpc.LostRemote) as failure:
        return isinstance(failure, Exception)
    finally:
        client.close()


def read(n):
    return list(shared.numbers(n))


def read_some(n):
    taken = []
    for number in shared.numbers(n):
        taken.append(number)
        if len(taken) == 3:
            break
    return taken


def marked(n):
    return [list(shared.marked(n)), shared.kept(n)]


def through(n):
    for number in shared.numbers(n):
        yield number * 2


def failing(n):
    items = []
    try:
        for number in shared.numbers_then_fail(n):
            items.append(number)
    except zerorpc.RemoteError as failure:
        return [items, failure.name]


def at_once(n):
    pending = [shared("echo", number, **{"async": True}) for number in range(n)]
    return [one.get() for one in pending]


def slow(seconds):
    client = zerorpc.Client(ADDRESS, heartbeat=0.5)
    try:
        return client.slow(seconds)
    finally:
        client.close()


def patient(seconds):
    client = zerorpc.Client(ADDRESS, heartbeat=None, timeout=None)
    try:
        return client.slow(seconds)
    finally:
        client.close()


def inspect():
    return sorted(shared._zerorpc_inspect()["methods"])[:2]


def push(value):
    pusher = zerorpc.Pusher()
    pusher.connect(os.environ["PULLER"])
    pusher.receive(value)
    kept.append(pusher)


kept = []


class Front(object):
    def __init__(self):
        self.client = zerorpc.Client(ADDRESS)

    def ask(self, value):
        return self.client.echo(value)
