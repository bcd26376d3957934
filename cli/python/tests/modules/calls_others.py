"""Calls another service, whose address is in the file `address`."""

import multiprocessing
import os
import threading

import zerorpc
import zerorpc.exceptions
from zerorpc import decorators, exceptions

with open("address") as file:
    ADDRESS = file.read()

# Connected while the module is imported, also by the children that it starts. And used then, but not by those.
client = zerorpc.Client(ADDRESS, timeout=50)
if multiprocessing.current_process().name == "MainProcess":
    early = client.add(1, 2)
publisher = zerorpc.Publisher()


def package():
    return os.path.basename(os.path.dirname(zerorpc.__file__)), exceptions is zerorpc.exceptions


def at_import():
    return early


def add(a, b):
    return client.add(a, b)


def add_anew(a, b):
    with zerorpc.Client(ADDRESS) as other:
        return other("add", a, b)


def many(count):
    pending = [client.add(n, n, async_=True) for n in range(count)]
    return [one.get() for one in pending]


def numbers(count):
    return client.numbers(count)


@decorators.stream
def doubled(count):
    for number in client.numbers(count):
        yield 2 * number


def first(count):
    stream = client.numbers(count)
    found = next(stream)
    stream.close()
    return found


def fail():
    try:
        client.fail("no")
    except zerorpc.RemoteError as error:
        return error.name, error.msg


def pass_on():
    return client.fail("no")


def too_late():
    try:
        client.wait(timeout=0.1)
    except exceptions.TimeoutExpired as error:
        return str(error).partition(" at ")[0]


def trace():
    return zerorpc.current_header(), client.trace()


async def add_async(a, b):
    first, second = client.add(a, b, async_=True), client.add(b, b, async_=True)
    return [await first, await second]


def in_threads(count):
    found = []

    def work(number):
        found.append(client.add(number, number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def try_it(number):
    try:
        return zerorpc.Client(ADDRESS).add(number, 1)
    except RuntimeError as error:
        return str(error)


def in_children():
    found = []
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            found += pool.map(try_it, [1])
    return found


class Echo(zerorpc.Server):
    """Says it again."""

    def echo(self, value):
        return value

    @zerorpc.stream
    def letters(self, text):
        """One by one."""
        return text

    def call_on(self, a, b):
        return add(a, b)


server = zerorpc.Server(Echo(), "named")

if __name__ == "__main__":
    server.bind("tcp://127.0.0.1:*")
    server.run()
