"""Plain calls one at a time, in the main thread: as in plain Python.

Streams go on item by item in between, in turn with each other and with calls, and `async` methods whenever none of
these runs.
"""

import collections
import sys
import time

from . import calls, codec, signals, wire
from .calls import CancelledError

# For how many seconds a stream whose items come fast may go on before it is somebody else's turn. Not measured by itself:
# as long as a whole call of a quick method takes (`SPIN_TIME` of `pipes.rs`).
TURN = 100e-6

# How many times the event loop is turned for tasks that were cancelled, before the next plain call. Not measured: a bound; a
# `finally` that awaits a few things that are there needs no more.
LAST_TURNS = 10


class Stream:
    """A stream that makes items when it is its turn."""

    def __init__(self, call, iterator):
        self.call = call
        self.iterator = iterator
        self.granted = [calls.FIRST_ITEMS, calls.FIRST_BYTES]
        self.used = [0, 0]


class Serial(calls.Calls):
    """Runs everything in the thread that calls `serve`."""

    def __init__(self, pipes, link, methods, current):
        super().__init__(pipes, methods, current)
        self._link = link
        # Calls that have come and were not begun, in order: their numbers and bodies.
        self._waiting = {}
        self._streams = {}
        # Numbers of streams that have credit.
        self._ready = collections.deque()
        # Numbers of calls whose callers have gone.
        self._cancelled = collections.deque()
        self._tasks = None
        link.accept = self._accept

    def serve(self):
        """Runs calls until the server closes the pipe."""
        while not self._link.ended:
            if not self.has_work():
                self._wait()
            else:
                # Before each call it is looked whether its caller has gone.
                self._link.look()
            if self._link.ended:
                # Nothing is begun any more: what waits is given to another server.
                break
            while self._cancelled:
                self._cancel(self._cancelled.popleft())
            if self._waiting:
                self._run_next()
            if self._ready:
                # A stream whose credit came when its turn ended may stand there twice.
                stream = self._streams.get(self._ready.popleft())
                if stream is not None:
                    self._advance(stream)
            if self._tasks is not None and self._tasks.is_busy():
                self._tasks.turn()

    def has_work(self):
        """Whether there is anything to do but for the event loop."""
        return bool(self._waiting or self._ready or self._cancelled)

    def close(self):
        """Ends streams and tasks: their `finally` runs."""
        for number in list(self._streams):
            self._close(number)
        if self._tasks is not None:
            self._tasks.close()

    def _accept(self, kind, number, body):
        """Takes up a frame, on whichever thread reads the pipe: nothing of the module runs here."""
        if kind == wire.CALL:
            self._waiting[number] = body
            if self._tasks is not None:
                self._tasks.look()
        elif kind == wire.CREDIT:
            self.credit(number, body)
        elif kind == wire.CANCEL:
            self._cancelled.append(number)

    def _wait(self):
        if self._tasks is not None:
            self._tasks.wait(self._link, self.has_work, self._begin_async)
        else:
            self._link.read_until(self.has_work)

    def _run_next(self):
        number = next(iter(self._waiting))
        body = self._waiting.pop(number)
        if "asyncio" in sys.modules:
            self._loop_tasks().prepare()
        call = self.begin(number)
        self.tell_current(number)
        self.execute(call, body, call.run)
        self.tell_current(0)

    def _begin_async(self):
        """Begins calls that nothing of the module runs for now, as long as they are the next ones."""
        while self._waiting and not self._cancelled:
            number = next(iter(self._waiting))
            if not self.is_async(self._waiting[number]):
                return
            call = self.begin(number)
            self.execute(call, self._waiting.pop(number), call.context.run)

    def start_stream(self, call, iterator):
        stream = self._streams[call.number] = Stream(call, iterator)
        self._ready.append(call.number)

        def grant(items, size):
            was_spent = not calls.has_credit(stream.granted, stream.used)
            stream.granted[0] += items
            stream.granted[1] += size
            if was_spent and calls.has_credit(stream.granted, stream.used):
                self._ready.append(call.number)

        call.grant = grant

    def start_async(self, call, result):
        self._loop_tasks().start(call, result)

    def _advance(self, stream):
        number, iterator, used = stream.call.number, stream.iterator, stream.used
        run, send, pack, now = stream.call.context.run, self.send, codec.pack, time.monotonic
        until = now() + TURN
        self.tell_current(number)
        try:
            while calls.has_credit(stream.granted, used):
                signals.inside = True
                try:
                    item = run(next, iterator)
                except StopIteration:
                    return self._end(number)
                finally:
                    signals.inside = False
                data = pack(item, "item")
                used[0] += 1
                used[1] += len(data)
                send(wire.ITEM, number, data)
                if now() > until:
                    # Without credit it is ready when that comes.
                    if calls.has_credit(stream.granted, used):
                        self._ready.append(number)
                    return None
        except BaseException as error:
            self._end(number, error)
        finally:
            self.tell_current(0)
        return None

    def _end(self, number, error=None):
        """Ends a stream; it is closed first, so that its `finally` has run when its caller hears of the end."""
        stream = self._streams.pop(number)
        calls.close(stream.call, stream.iterator, stream.call.run)
        if error is None:
            self.finish(stream.call, wire.DONE)
        else:
            self.fail(stream.call, error)

    def _close(self, number):
        if number in self._ready:
            self._ready.remove(number)
        self._end(number, CancelledError("nobody reads the stream any more"))

    def _cancel(self, number):
        """The caller of a call has gone."""
        if self._waiting.pop(number, None) is not None:
            self.fail(self.begin(number), CancelledError("the call was given up before it began"))
        elif number in self._streams:
            self._close(number)
        elif number in self.open and self.open[number].cancel is not None:
            self.open[number].is_cancelled = True
            self.open[number].cancel()
            for _ in range(LAST_TURNS):
                if number in self.open:
                    self._tasks.turn()

    def _loop_tasks(self):
        if self._tasks is None:
            from .aio import Tasks

            self._tasks = Tasks(self)
        return self._tasks

