"""Runs the calls: quick ones where they are read, others in threads, `async` ones on the loop.

Every call ends with exactly one frame `VALUE`, `DONE` or `FAILURE`, whatever the method does, also
when it is cancelled.
"""

import asyncio
import inspect
import sys
import time
import traceback

from . import calls, codec, failures, wire
from .calls import Outlet
from .keeper import Keeper
from .threads import Loop

# Taking larger arguments apart may take its time.
LARGE = 1 << 14

# For how many seconds a result, or an item, may wait for others to be sent with.
PROMPT = 0.001

# The same in bytes.
BATCH = 1 << 15

# Results that are neither streams nor awaited, unless the method is marked.
PLAIN = frozenset((type(None), bool, int, float, str, bytes, list, tuple, dict))


class Runner:
    """All running calls. `serve`, `grant` and `cancel` are for the thread that reads the pipe."""

    def __init__(self, pipes, methods, threads, replace_leader):
        self._pipes = pipes
        self._methods = methods
        self._calls = {}
        self._threads = threads
        self._keeper = Keeper(pipes, replace_leader)
        self._loop = Loop()
        self._flushed = 0.0

    def serve(self, number, body):
        """Runs or starts a call; `body` holds the method's name and its arguments.

        False when the call has lasted so long that another thread reads the pipe now.
        """
        call = self._calls[number] = calls.Call(number)
        if len(body) > LARGE:
            self._in_thread(call, self._begin, body)
            return True
        try:
            name, arguments = codec.unpack(body)
        except BaseException as error:
            self._fail(call, error)
            return True
        method = self._methods.get(name)
        if method is None or not method.pace.is_quick():
            self._in_thread(call, self._execute, name, arguments, self._guarded)
            return True
        now = time.monotonic()
        if not method.pace.is_familiar() or now - self._flushed > PROMPT:
            self._pipes.flush()
            self._flushed = now
        self._keeper.enter(method.pace)
        self._guarded(call, self._execute, name, arguments, self._in_thread)
        if self._keeper.leave(time.monotonic() - now):
            return True
        self._pipes.flush()
        return False

    def pause(self):
        """Sends all results: there is nothing more to be read at the moment."""
        self._pipes.flush()

    def grant(self, number, body):
        """Gives credit back to a stream; it may have ended meanwhile."""
        call = self._calls.get(number)
        if call is not None:
            call.grant(*codec.unpack(body))

    def cancel(self, number):
        """The caller has gone: streams are closed, `async` methods cancelled, functions run to their end."""
        call = self._calls.get(number)
        if call is not None:
            call.cancel()

    def cancel_all(self):
        """Cancels every call, so that generators run their `finally`."""
        for call in list(self._calls.values()):
            call.cancel()

    def streaming(self):
        """Whether any stream has not come to its end yet."""
        return any(call.window is not None for call in list(self._calls.values()))

    def _in_thread(self, call, step, *arguments):
        try:
            self._threads.run(self._whole, call, step, *arguments)
        except RuntimeError as error:
            self._fail(call, error)

    def _whole(self, call, step, *arguments):
        self._guarded(call, step, *arguments)
        self._pipes.flush()

    def _guarded(self, call, step, *arguments):
        # Also SystemExit and KeyboardInterrupt are the method's failures, not the end of this process.
        try:
            step(call, *arguments)
        except BaseException as error:
            self._fail(call, error)

    def _begin(self, call, body):
        self._execute(call, *codec.unpack(body), self._guarded)

    def _execute(self, call, name, arguments, onward):
        """Runs a method; `onward` runs what may take longer than that, in this thread or in another."""
        method = self._methods.get(name)
        if method is None:
            self._finish(call, wire.FAILURE, failures.strings("NameError", name, ""))
            return
        result = method.function(*arguments)
        if type(result) in PLAIN and not method.is_stream:
            self._finish(call, wire.VALUE, codec.pack(result))
        elif inspect.isawaitable(result) or method.streams_async(result):
            self._loop.start(self._execute_async(call, method, result))
        else:
            self._conclude(call, method, result, onward)

    def _conclude(self, call, method, result, onward):
        """Answers with what a method has returned, in a thread."""
        if method.streams(result):
            onward(call, self._drain, iter(result))
        else:
            self._finish(call, wire.VALUE, codec.pack(result))

    def _drain(self, call, iterator):
        try:
            window = call.window = calls.Window()
            call.on_cancel(window.close)
            outlet = Outlet(self._pipes, self._keeper, call.number)
            while True:
                # Credit comes first: what nobody takes is not even made.
                if outlet.is_spent():
                    outlet.renew(window.take(*outlet.spent()))
                elif window.closed:
                    outlet.renew(None)
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                outlet.send(codec.pack(item))
        finally:
            _closed(iterator)
        self._finish(call, wire.DONE)

    async def _execute_async(self, call, method, result):
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        call.on_cancel(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            if inspect.isawaitable(result):
                result = await result
            if method.streams_async(result):
                await self._drain_async(call, type(result).__aiter__(result))
            else:
                self._in_thread(call, self._conclude, method, result, self._guarded)
        except BaseException as error:
            self._fail(call, error)
        self._pipes.flush()

    async def _drain_async(self, call, iterator):
        try:
            window = call.window = calls.AsyncWindow()
            outlet = Outlet(self._pipes, self._keeper, call.number)
            while True:
                if outlet.is_spent():
                    outlet.renew(await window.take(*outlet.spent()))
                try:
                    item = await iterator.__anext__()
                except StopAsyncIteration:
                    break
                outlet.send(codec.pack(item))
        finally:
            await _aclosed(iterator)
        self._finish(call, wire.DONE)

    def _fail(self, call, error):
        self._finish(call, wire.FAILURE, failures.failure(error))

    def _finish(self, call, kind, body=b""):
        # In this order: a process that ends waits for streams, and writes what they have put.
        self._pipes.put(kind, call.number, body)
        self._calls.pop(call.number, None)


def _closed(iterator):
    """Closes an iterator that can be closed; what its `finally` raises concerns nobody but the log."""
    try:
        close = getattr(iterator, "close", None)
        if callable(close):
            close()
    except BaseException:
        traceback.print_exc(file=sys.stderr)


async def _aclosed(iterator):
    """The same for an asynchronous iterator."""
    try:
        close = getattr(iterator, "aclose", None)
        if callable(close):
            await close()
    except BaseException:
        traceback.print_exc(file=sys.stderr)
