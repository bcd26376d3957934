"""Plain calls in threads, as many at a time as the server sends. Streams have a thread each."""

import collections
import queue
import sys
import threading

from . import calls, wire
from .calls import Window

# So many threads wait for the next call for as long as it takes; a burst may use any number. Not measured: a
# bound, on stacks that are kept for nothing.
KEPT = 16
# For how many seconds the others wait. Not measured: between two bursts, and long beside what a thread takes to start.
IDLE_SECONDS = 1.0


class Threads(calls.Calls):
    """Reads the pipe and turns the event loop in the thread that calls `serve`; runs the rest in others."""

    def __init__(self, pipes, link, methods, current):
        super().__init__(pipes, methods, current)
        self._pipes = pipes
        self._link = link
        self._pool = Pool()
        # What other threads want done in the main thread.
        self._todo = collections.deque()
        self._tasks = None
        pipes.make_wakeable()
        link.accept = self._accept

    def serve(self):
        """Runs calls until the server closes the pipe."""
        while not self._link.ended:
            while self._todo:
                self._todo.popleft()()
            if self._tasks is not None:
                self._tasks.wait(self._link, self._has_todo, self._do_nothing)
            else:
                self._link.read_until(self._has_todo)

    def close(self):
        """Ends streams and tasks: their `finally` runs, in their threads as soon as they come back."""
        for call in list(self.open.values()):
            if call.cancel is not None:
                call.cancel()
        if self._tasks is not None:
            self._tasks.close()
        self._pool.wait_for_streams()

    def _has_todo(self):
        return bool(self._todo)

    def _do_nothing(self):
        """Calls are begun as they come."""

    def _accept(self, kind, number, body):
        if kind == wire.CALL:
            call = self.begin(number)
            if self.is_async(body):
                self._todo.append(lambda: self.execute(call, body, call.context.run))
            else:
                self._pool.run(self._run, call, body)
        elif kind == wire.CREDIT:
            self.credit(number, body)
        elif kind == wire.CANCEL:
            call = self.open.get(number)
            if call is not None:
                call.is_cancelled = True
                if call.cancel is not None:
                    call.cancel()

    def _run(self, call, body):
        if call.is_cancelled:
            return self.fail(call, calls.CancelledError("the call was given up before it began"))
        self.send(wire.BEGUN, call.number)
        return self.execute(call, body, call.context.run)

    def start_stream(self, call, iterator):
        window = Window(threading.Event())
        call.cancel = window.close
        if call.is_cancelled:
            window.close()
        if threading.current_thread() is threading.main_thread():
            # An `async` method has returned an iterator.
            self._pool.run(self._drain, call, iterator, window)
        else:
            self._drain(call, iterator, window)

    def _drain(self, call, iterator, window):
        with self._pool.stream():
            calls.drain(self, call, iterator, window, call.context.run)

    def start_async(self, call, result):
        def start():
            if self._tasks is None:
                from .aio import Tasks

                self._tasks = Tasks(self)
            self._tasks.start(call, result)

        self._todo.append(start)
        self._pipes.wake()


class Pool:
    """Threads that are used again. What finds none waits until one has come back."""

    def __init__(self):
        self._idle = []
        # What waits for a thread where the system has no more to give.
        self._waiting = collections.deque()
        self._streams = 0
        self._changed = threading.Condition()

    def run(self, function, *arguments):
        """Runs `function`, which must not raise, in a thread."""
        try:
            # The one that has waited least: it is the likeliest to be warm, and those at the other end may go.
            inbox = self._idle.pop()
        except IndexError:
            self._start((function, arguments))
        else:
            inbox.put((function, arguments))

    def stream(self):
        """Counts as a stream while it is entered."""
        return self

    def __enter__(self):
        with self._changed:
            self._streams += 1

    def __exit__(self, *_):
        with self._changed:
            self._streams -= 1
            self._changed.notify_all()

    def wait_for_streams(self):
        """Waits until all streams have come to their end."""
        with self._changed:
            while self._streams:
                self._changed.wait()

    def _start(self, task):
        thread = threading.Thread(target=self._work, args=([task],), name="zerorpc-call", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):
            self._waiting.append(task)
            self._give_waiting()
            if threading.active_count() == 1:
                print("zerorpc: the system has no thread to run calls in", file=sys.stderr)

    def _give_waiting(self):
        """For a thread that came back just before there was something that waits."""
        try:
            inbox = self._idle.pop()
        except IndexError:
            return
        try:
            inbox.put(self._waiting.popleft())
        except IndexError:
            self._idle.append(inbox)

    def _work(self, first):
        inbox = queue.SimpleQueue()
        function, arguments = first.pop()
        while True:
            function(*arguments)
            # An idle thread must not keep the last call's values alive.
            function = arguments = None
            try:
                function, arguments = self._waiting.popleft()
                continue
            except IndexError:
                self._idle.append(inbox)
            try:
                function, arguments = inbox.get(timeout=None if len(self._idle) <= KEPT else IDLE_SECONDS)
            except queue.Empty:
                try:
                    self._idle.remove(inbox)
                    return
                except ValueError:
                    # Somebody has taken it just now, and gives it something to do.
                    function, arguments = inbox.get()
