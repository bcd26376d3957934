"""zerorpc-python as a subject of the comparison; keeps to the contract of src/contract.rs.

    bench.py server HOST:PORT
    bench.py client HOST:PORT MODE SECS
"""

import json
import math
import sys
import time

import gevent
import gevent.fileobject
import zerorpc

import bench_module

STREAM = 10000
# More items than anybody reads: these streams stay open.
ITEMS = 10**9
WARM_UP = (100, 0.1)


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def repeat(secs, weight, operation):
    """Repeats an operation, which is worth `weight` counted things; returns how long each took."""
    begun = time.perf_counter()
    for _ in range(WARM_UP[0]):
        operation()
        if time.perf_counter() - begun > WARM_UP[1]:
            break
    times = []
    start = before = time.perf_counter()
    while before - start < secs or not times:
        operation()
        now = time.perf_counter()
        times.append((now - before) / weight)
        before = now
    return times, weight, before - start


def report(times, weight, lasted):
    times.sort()

    def quantile(share):
        return times[max(math.ceil(len(times) * share), 1) - 1] * 1e6

    return {"n": len(times) * weight, "secs": lasted, "p50_us": quantile(0.5), "p99_us": quantile(0.99)}


def call(client):
    if client.echo(7) != 7:
        raise ValueError("7 came back as something else")


def pipe(client, count, secs):
    """So many greenlets, each making one call after the other."""
    jobs = [gevent.spawn(repeat, secs, 1, lambda: call(client)) for _ in range(count)]
    gevent.joinall(jobs, raise_error=True)
    parts = [job.value for job in jobs]
    return [each for times, _, _ in parts for each in times], 1, max(lasted for _, _, lasted in parts)


def stream(client):
    items = 0
    for item in client.numbers(STREAM):
        if item != items:
            raise ValueError("item %d is missing or out of order" % items)
        items += 1
    if items != STREAM:
        raise ValueError("a stream ended after %d items" % items)


def big(client, size, secs):
    payload = b"\7" * size

    def echo():
        if len(client.echo(payload)) != size:
            raise ValueError("bytes were lost")

    return repeat(secs, 1, echo)


def channels(client, count):
    """Opens streams and holds them until it is told to go on."""
    lines = gevent.fileobject.FileObject(sys.stdin.fileno(), "rb", closefd=False)
    call(client)
    say("connected")
    lines.readline()
    streams, times = [], []
    start = before = time.perf_counter()
    for _ in range(count):
        items = iter(client.numbers(ITEMS))
        next(items)
        streams.append(items)
        now = time.perf_counter()
        times.append(now - before)
        before = now
    say("open")
    lines.readline()
    return times, 1, before - start


def measure(client, mode, secs):
    name, _, number = mode.partition(":")
    if name == "seq":
        return repeat(secs, 1, lambda: call(client))
    if name == "pipe":
        return pipe(client, int(number), secs)
    if name == "stream":
        return repeat(secs, STREAM, lambda: stream(client))
    if name == "big":
        return big(client, int(number), secs)
    if name == "channels":
        return channels(client, int(number))
    raise SystemExit("this subject cannot measure " + mode)


def main():
    role, address, *rest = sys.argv[1:]
    endpoint = "tcp://" + address
    if role == "server":
        server = zerorpc.Server(bench_module)
        server.bind(endpoint)
        say("ready")
        server.run()
    else:
        mode, secs = rest
        client = zerorpc.Client(endpoint)
        say(json.dumps(report(*measure(client, mode, float(secs)))))


if __name__ == "__main__":
    main()
