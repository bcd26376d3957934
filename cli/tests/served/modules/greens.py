"""gevent without patches: background greenlets, queues, events."""

import gevent
import gevent.event
import gevent.queue

ticks = 0
subs = set()
closed = inside = 0
started = gevent.event.Event()


def ticker():
    global ticks
    while True:
        gevent.sleep(0.01)
        ticks += 1


gevent.spawn(ticker)


def ticked():
    return ticks


def start_counter():
    """A greenlet that a method leaves behind."""
    counter = Counter()
    counters.append(counter)
    return len(counters) - 1


def counted(number):
    return counters[number].ticks


counters = []


class Counter:
    """Starts a greenlet when it is made."""

    def __init__(self):
        self.ticks = 0
        gevent.spawn(self._run)

    def _run(self):
        while True:
            gevent.sleep(0.01)
            self.ticks += 1

    def ticked(self):
        return self.ticks


def subscribe():
    global closed
    q = gevent.queue.Queue()
    subs.add(q)
    try:
        for m in q:
            yield m
    finally:
        subs.discard(q)
        closed += 1


def publish(m):
    for q in subs:
        q.put(m)
    return len(subs)


def subscribers():
    return len(subs)


def times_closed():
    return closed


def nap(s):
    gevent.sleep(s)
    return s


def wait_started():
    return started.wait(30)


def start():
    started.set()


def now_inside():
    return inside


def forever():
    """Ends only when it is killed."""
    global closed, inside
    inside += 1
    try:
        gevent.sleep(10000)
    finally:
        closed += 1


def pooled(n):
    import gevent.pool

    return gevent.pool.Pool(4).map(lambda number: number * 2, range(n))


def fork_that_waits():
    """The child uses the hub, and says by its status that it came through."""
    import os

    pid = os.fork()
    if pid == 0:
        greenlet = gevent.spawn(gevent.sleep, 0.05)
        greenlet.join()
        os._exit(7)
    return os.waitpid(pid, 0)[1] >> 8


def process_that_waits():
    import multiprocessing

    process = multiprocessing.get_context("fork").Process(target=gevent.sleep, args=(0.05,))
    process.start()
    process.join(30)
    return process.exitcode
