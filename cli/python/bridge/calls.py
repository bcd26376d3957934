"""One running call, and how far its stream may run ahead of the server."""

import asyncio
import threading

# The server gives credit back in batches that are at most half of this (`conversation.rs`).
WINDOW_ITEMS = 64
WINDOW_BYTES = 1 << 20


class Call:
    """What the reader of the pipe and whoever runs the call know in common."""

    def __init__(self, number, body):
        self.number = number
        self._body = body
        self.window = None
        self.cancelled = False
        self._stop = None

    def take_body(self):
        """The method's name and its arguments, encoded; gives them away, for they may be large."""
        body, self._body = self._body, None
        return body

    def on_cancel(self, stop):
        """Calls `stop` when the call is cancelled, from another thread; at once if it already is."""
        self._stop = stop
        # Each side writes before it reads, so at least one of them sees what the other wrote.
        if self.cancelled:
            stop()

    def cancel(self):
        """Nobody wants the answer any more."""
        self.cancelled = True
        if self._stop is not None:
            self._stop()

    def grant(self, items, size):
        """The server has taken so much off the stream."""
        if self.window is not None:
            self.window.grant(items, size)


class Credit:
    """The arithmetic of a window."""

    def __init__(self):
        self.items = WINDOW_ITEMS
        self.bytes = WINDOW_BYTES

    def __bool__(self):
        """Whether one more item may be made, whatever its size."""
        return self.items > 0 and self.bytes > 0

    def add(self, items, size):
        """Changes both by what came back or, negative, by what was spent."""
        self.items += items
        self.bytes += size


class Window:
    """Credit for a stream that runs in a thread."""

    def __init__(self):
        self._credit = Credit()
        self._closed = False
        self._changed = threading.Condition()

    def wait(self):
        """Waits until one more item may be made; False when nobody wants it."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._credit)
            return not self._closed

    def grant(self, items, size):
        """Adds credit; negative numbers spend it."""
        with self._changed:
            self._credit.add(items, size)
            self._changed.notify()

    def close(self):
        """Ends the waiting for good."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class AsyncWindow:
    """Credit for a stream that runs on the asyncio loop; made and waited for there."""

    def __init__(self):
        self._credit = Credit()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def wait(self):
        """Waits until one more item may be made."""
        while not self._credit:
            self._changed.clear()
            await self._changed.wait()

    def spend(self, items, size):
        """Takes credit for what was sent."""
        self._credit.add(-items, -size)

    def grant(self, items, size):
        """Adds credit, from any thread."""
        self._loop.call_soon_threadsafe(self._add, items, size)

    def _add(self, items, size):
        self._credit.add(items, size)
        self._changed.set()
