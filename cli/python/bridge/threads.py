"""Threads that are used again, and one thread that runs an asyncio loop."""

import asyncio
import queue
import threading
import traceback

# So many threads wait for the next call for as long as it takes; a burst may use any number.
KEPT = 16
# For how many seconds the others wait.
PATIENCE = 1.0


class Threads:
    """Runs each task at once, in a thread of its own for as long as the task lasts."""

    def __init__(self):
        self._idle = []

    def run(self, function, *arguments):
        """Starts `function`, which must not raise. RuntimeError when there can be no more threads."""
        try:
            # The one that has waited least: it is the likeliest to be warm, and those at the other end may go.
            inbox = self._idle.pop()
        except IndexError:
            first = [(function, arguments)]
            threading.Thread(target=self._work, args=(first,), name="zerorpc-call", daemon=True).start()
        else:
            inbox.put((function, arguments))

    def _work(self, first):
        inbox = queue.SimpleQueue()
        function, arguments = first.pop()
        while True:
            function(*arguments)
            # An idle thread must not keep the last call's values alive.
            function = arguments = None
            self._idle.append(inbox)
            try:
                function, arguments = inbox.get(timeout=None if len(self._idle) <= KEPT else PATIENCE)
            except queue.Empty:
                try:
                    self._idle.remove(inbox)
                    return
                except ValueError:
                    # Somebody has taken it just now, and gives it something to do.
                    function, arguments = inbox.get()


class Loop:
    """One asyncio loop for all `async` methods; its thread starts with the first of them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._loop = None

    def start(self, coroutine):
        """Runs a coroutine, which must not raise, as a task of the loop."""
        self.soon(self._begin, coroutine)

    def soon(self, function, *arguments):
        """Calls `function` in the loop's thread."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._tasks = set()
                threading.Thread(target=self._run, name="zerorpc-asyncio", daemon=True).start()
        self._loop.call_soon_threadsafe(function, *arguments)

    def _begin(self, coroutine):
        # The loop itself holds its tasks only weakly.
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        while True:
            try:
                self._loop.run_forever()
            except BaseException:
                # SystemExit in a task that a method started: it must not end the other calls.
                traceback.print_exc()
