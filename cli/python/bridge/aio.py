"""`async` methods: tasks of one event loop, which the main thread turns."""

import asyncio
import inspect
import select
import traceback

from . import codec, wire
from .calls import FIRST_BYTES, FIRST_ITEMS, has_credit

# How often it is looked for something to do where another thread reads the pipe, in seconds. Not measured: what comes is
# late by no more than that, for a hundred looks in a second.
LOOK = 0.01


class Tasks:
    """The loop and the calls that run on it. Everything here is for the main thread."""

    def __init__(self, calls):
        self._calls = calls
        self._loop = None
        self._tasks = set()
        self._cancelled = set()
        # Whether to come back from `_turn_until`; None while the loop is not run by it.
        self._stops = None
        # What is readable when another thread gives the loop something to do; not all loops tell.
        self._wakes = None
        # Another thread has given it something to do while it rested.
        self._is_woken = False

    def prepare(self):
        """Sees to it that `asyncio.get_event_loop()` gives our loop: that which the module has set, if it has."""
        current = _set_loop()
        if current is not None and not current.is_closed():
            if current is not self._loop and not self._tasks:
                self._use(current)
            return
        if self._loop is None or self._loop.is_closed():
            self._use(asyncio.new_event_loop())
        asyncio.set_event_loop(self._loop)

    def _use(self, loop):
        self._loop = loop
        self._wakes = getattr(loop, "_ssock", None)

    def wait(self, link, has_work, begin):
        """Waits until there is something to do but for the loop, which runs meanwhile if it has anything to do."""
        if self._loop is None or self._loop.is_closed():
            link.read_until(has_work)
        elif self.is_busy():
            self._turn_until(link, has_work, begin)
        else:
            # The loop rests: for most modules it is there and never used.
            link.read_until(lambda: has_work() or self.is_busy(), has_input=self._wait_for(link))

    def _wait_for(self, link):
        poll = select.poll()
        fds = link.filenos()
        for fd in fds + [self._wakes.fileno()]:
            poll.register(fd, select.POLLIN)

        def has_input(seconds):
            ready = poll.poll(None if seconds is None else seconds * 1000)
            self._is_woken = any(fd not in fds for fd, _ in ready)
            return any(fd in fds for fd, _ in ready)

        return has_input

    def is_busy(self):
        """Whether the loop has anything to do, for us or for the module."""
        if self._tasks or self._is_woken:
            return True
        loop = self._loop
        if loop is None or loop.is_closed():
            return False
        return _has_events(loop) or _has_tasks(loop)

    def start(self, call, result):
        """Goes on with what an `async` method has returned."""
        self.prepare()
        self._calls.send(wire.ASYNC, call.number)
        # The task gets a copy of the context that it is made in.
        task = call.context.run(self._loop.create_task, self._run(call, result))
        call.cancel = lambda: self._cancel(task)
        # The loop itself holds its tasks only weakly.
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _cancel(self, task):
        # Once: what it does at its end is not to be cancelled too.
        if task not in self._cancelled:
            self._cancelled.add(task)
            task.cancel()

    def _ended(self, task):
        self._cancelled.discard(task)
        self._tasks.discard(task)
        # It may have left something to do. A loop that the module runs is not ours to stop.
        if self._stops:
            self._loop.call_soon(self._stop_for_work)

    def look(self):
        """Something has come, perhaps while a task waited for something else: the loop may have to stop for it."""
        if self._stops:
            self._loop.call_soon_threadsafe(self._stop_for_work)

    def _stop_for_work(self):
        if self._stops and self._stops():
            self._loop.stop()

    def turn(self):
        """Lets the loop do what it can do now."""
        self._is_woken = False
        if not self._loop.is_closed():
            self._loop.call_soon(self._loop.stop)
            self._run_loop()

    def _turn_until(self, link, has_work, begin):
        """Lets the loop run until there is something else to do; what comes meanwhile, `begin` may begin on it."""
        self._is_woken = False
        loop = self._loop
        if not link.try_hold():
            # Another thread reads the pipe: it is looked now and then whether there is something to do.
            loop.call_later(LOOK, loop.stop)
            return self._run_loop()

        def read():
            link.take_up()
            begin()
            self._stop_for_work()

        self._stops = lambda: has_work() or link.ended or not self.is_busy()
        try:
            for fd in link.filenos():
                loop.add_reader(fd, read)
            # Something may have come before.
            loop.call_soon(read)
            self._run_loop()
        finally:
            self._stops = None
            if not loop.is_closed():
                for fd in link.filenos():
                    loop.remove_reader(fd)
            link.let_go()
        return None

    def close(self):
        """Cancels everything, and lets it come to its end."""
        if self._loop is None or self._loop.is_closed():
            return
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            self._cancel(task)
        if tasks:
            self._guarded(self._loop.run_until_complete, asyncio.wait(tasks))
        self._guarded(self._loop.run_until_complete, self._loop.shutdown_asyncgens())

    def _run_loop(self):
        self._guarded(self._loop.run_forever)

    def _guarded(self, function, *arguments):
        try:
            function(*arguments)
        except BaseException:
            # SystemExit in a task that the module has started: it must not end the calls.
            traceback.print_exc()

    async def _run(self, call, result):
        method = call.method
        try:
            if inspect.isawaitable(result):
                result = await result
            if method.streams_async(result):
                await self._drain(call, type(result).__aiter__(result))
            else:
                self._calls.answer(call, result)
        except BaseException as error:
            self._calls.fail(call, error)

    async def _drain(self, call, iterator):
        window = AsyncWindow()
        call.grant = window.grant
        self._calls.send(wire.STREAM, call.number)
        try:
            while True:
                await window.wait()
                try:
                    item = await iterator.__anext__()
                except StopAsyncIteration:
                    break
                data = codec.pack(item, "item")
                self._calls.send(wire.ITEM, call.number, data)
                window.use(len(data))
        finally:
            await _aclosed(iterator)
        self._calls.finish(call, wire.DONE)


class AsyncWindow:
    """Credit for a stream that runs on the loop."""

    def __init__(self):
        self._granted = [FIRST_ITEMS, FIRST_BYTES]
        self._used = [0, 0]
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def wait(self):
        """Waits until one more item may be made."""
        while not has_credit(self._granted, self._used):
            self._changed.clear()
            await self._changed.wait()

    def use(self, size):
        """Pays for an item."""
        self._used[0] += 1
        self._used[1] += size

    def grant(self, items, size):
        """Adds credit, from any thread."""
        self._loop.call_soon_threadsafe(self._add, items, size)

    def _add(self, items, size):
        self._granted[0] += items
        self._granted[1] += size
        self._changed.set()


# All tasks of all loops, where that can be told: the set is asked before each wait, and nearly always empty.
_KNOWN_TASKS = getattr(asyncio.tasks, "_scheduled_tasks", getattr(asyncio.tasks, "_all_tasks", None))


def _has_tasks(loop):
    return (_KNOWN_TASKS is None or len(_KNOWN_TASKS) > 0) and bool(asyncio.all_tasks(loop))


def _has_events(loop):
    """Whether the module waits for anything on it that is no task: timers, signals, files."""
    if not hasattr(loop, "_ready"):
        # No loop of asyncio's own: it does not tell, and is always let run.
        return True
    if loop._ready or getattr(loop, "_scheduled", None) or getattr(loop, "_signal_handlers", None):
        return True
    selector = getattr(loop, "_selector", None)
    # One is the loop's own.
    return selector is not None and len(selector.get_map()) > 1


async def _aclosed(iterator):
    """Closes an asynchronous iterator; what its `finally` raises concerns nobody but the log."""
    try:
        close = getattr(iterator, "aclose", None)
        if callable(close):
            await close()
    except BaseException:
        traceback.print_exc()


def _set_loop():
    """The loop that is set in this thread, if one is: nothing is made."""
    policy = asyncio.get_event_loop_policy()
    return getattr(getattr(policy, "_local", None), "_loop", None)
