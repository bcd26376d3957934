"""Runs the calls: plain functions and generators in threads, `async` ones on the loop.

Every call ends with exactly one frame `VALUE`, `DONE` or `FAILURE`, whatever the method does, also
when it is cancelled.
"""

import asyncio
import inspect
import sys
import traceback

from . import calls, codec, failures, wire
from .threads import Loop, Threads


class Runner:
    """All running calls. `begin`, `grant` and `cancel` are for the reader of the pipe."""

    def __init__(self, pipes, methods):
        self._pipes = pipes
        self._methods = methods
        self._calls = {}
        self._threads = Threads()
        self._loop = Loop()

    def begin(self, number, body):
        """Starts a call; `body` holds the method's name and its arguments."""
        call = self._calls[number] = calls.Call(number, body)
        self._in_thread(call, self._execute)

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
            self._threads.run(self._guarded, call, step, *arguments)
        except RuntimeError as error:
            self._fail(call, error)

    def _guarded(self, call, step, *arguments):
        # Also SystemExit and KeyboardInterrupt are the method's failures, not the end of this process.
        try:
            step(call, *arguments)
        except BaseException as error:
            self._fail(call, error)

    def _execute(self, call):
        name, arguments = codec.unpack(call.take_body())
        method = self._methods.get(name)
        if method is None:
            self._finish(call, wire.FAILURE, failures.strings("NameError", name, ""))
            return
        result = method.function(*arguments)
        if inspect.isawaitable(result) or method.streams_async(result):
            self._loop.start(self._execute_async(call, method, result))
        else:
            self._conclude(call, method, result)

    def _conclude(self, call, method, result):
        """Answers with what a method has returned, in a thread."""
        if method.streams(result):
            self._drain(call, iter(result))
        else:
            self._finish(call, wire.VALUE, codec.pack(result))

    def _drain(self, call, iterator):
        try:
            window = call.window = calls.Window()
            call.on_cancel(window.close)
            self._pipes.send(wire.STREAM, call.number)
            while True:
                # Credit comes first: what nobody takes is not even made.
                if not window.wait():
                    raise asyncio.CancelledError("the stream was closed")
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                data = codec.pack(item)
                window.grant(-1, -len(data))
                self._pipes.send(wire.ITEM, call.number, data)
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
                self._in_thread(call, self._conclude, method, result)
        except BaseException as error:
            self._fail(call, error)

    async def _drain_async(self, call, iterator):
        try:
            window = call.window = calls.AsyncWindow()
            self._pipes.send(wire.STREAM, call.number)
            while True:
                await window.wait()
                try:
                    item = await iterator.__anext__()
                except StopAsyncIteration:
                    break
                data = codec.pack(item)
                window.spend(1, len(data))
                self._pipes.send(wire.ITEM, call.number, data)
        finally:
            await _aclosed(iterator)
        self._finish(call, wire.DONE)

    def _fail(self, call, error):
        self._finish(call, wire.FAILURE, failures.failure(error))

    def _finish(self, call, kind, body=b""):
        self._calls.pop(call.number, None)
        self._pipes.send(kind, call.number, body)


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
