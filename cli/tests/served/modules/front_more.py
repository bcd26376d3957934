"""What the package does not have, or has under another name."""

import os
import threading

import zerorpc

ADDRESS = os.environ["BACKEND"]


def in_with(value):
    with zerorpc.Client(ADDRESS) as client:
        return client.echo(value)


def async_option(n):
    with zerorpc.Client(ADDRESS) as client:
        pending = [client.echo(number, async_=True) for number in range(n)]
        return [one.get() for one in pending]


def async_error():
    with zerorpc.Client(ADDRESS) as client:
        pending = client.fail("late", async_=True)
        try:
            return pending.get(timeout=30)
        except zerorpc.RemoteError as failure:
            return failure.msg


def several(value):
    client = zerorpc.Client()
    client.connect(ADDRESS)
    client.connect(os.environ["SECOND"])
    with client:
        return [client.echo(value) for _ in range(10)]


def bound(value):
    """Waits for a worker that connects here."""
    client = zerorpc.Client()
    client.bind(os.environ["QUEUE"])
    with client:
        return client.echo(value)


def closed():
    client = zerorpc.Client(ADDRESS)
    client.close()
    client.close()
    try:
        client.echo(1)
    except Exception as error:
        return str(error)


def in_thread(value):
    client = zerorpc.Client(ADDRESS)
    answers = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(client.echo(value + n))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    return sorted(answers)


def held_gil(seconds):
    """Nothing of Python runs meanwhile; the call that is under way is not lost."""
    import ctypes

    with zerorpc.Client(ADDRESS, heartbeat=0.5) as client:
        pending = client.slow(seconds, async_=True)
        ctypes.PyDLL(None).usleep(int(seconds * 1e6))
        return pending.get(timeout=30)


def bad_address():
    try:
        zerorpc.Client("tcp://nonsense")
    except Exception as error:
        return str(error)


def itself(value):
    with zerorpc.Client(os.environ["SELF"], timeout=30) as client:
        return client.echo(value)


def echo(value):
    return value


def missing():
    """What is said of things that only the package has."""
    said = []
    for use in (
        lambda: zerorpc.Context.get_instance().register_middleware(object()),
        lambda: zerorpc.HeartBeatOnChannel,
    ):
        try:
            use()
        except Exception as error:
            said.append(str(error))
    return said
