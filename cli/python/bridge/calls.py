"""One running call, how far its stream may run ahead of the server, and when its items leave."""

import asyncio
import threading
import time

from . import wire

# The server gives credit back in batches that are at most half of this (`conversation.rs`).
WINDOW_ITEMS = 64
WINDOW_BYTES = 1 << 20

# Items that come faster than this, in seconds, leave together, so many bytes at most.
PROMPT = 0.0005
BATCH = 1 << 15


class Call:
    """What the reader of the pipe and whoever runs the call know in common."""

    def __init__(self, number):
        self.number = number
        self.window = None
        self.cancelled = False
        self._stop = None

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


class Window:
    """Credit for a stream that runs in a thread.

    The thread takes all that there is, and comes back when it has used that up.
    """

    def __init__(self):
        self._items = WINDOW_ITEMS
        self._bytes = WINDOW_BYTES
        self._changed = threading.Condition()
        self.closed = False

    def take(self, items, size):
        """Pays for what was sent and waits until one more item may be made, whatever its size.

        Gives how many items and bytes there is credit for then; None when nobody wants any.
        """
        with self._changed:
            self._items -= items
            self._bytes -= size
            while not self.closed and (self._items <= 0 or self._bytes <= 0):
                self._changed.wait()
            return None if self.closed else (self._items, self._bytes)

    def grant(self, items, size):
        """Adds credit."""
        with self._changed:
            self._items += items
            self._bytes += size
            self._changed.notify()

    def close(self):
        """Ends the waiting for good."""
        with self._changed:
            self.closed = True
            self._changed.notify()


class AsyncWindow:
    """The same for a stream that runs on the asyncio loop; made and waited for there."""

    def __init__(self):
        self._items = WINDOW_ITEMS
        self._bytes = WINDOW_BYTES
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def take(self, items, size):
        """As `Window.take`; instead of being closed, the task is cancelled."""
        self._items -= items
        self._bytes -= size
        while self._items <= 0 or self._bytes <= 0:
            self._changed.clear()
            await self._changed.wait()
        return self._items, self._bytes

    def grant(self, items, size):
        """Adds credit, from any thread."""
        self._loop.call_soon_threadsafe(self._add, items, size)

    def _add(self, items, size):
        self._items += items
        self._bytes += size
        self._changed.set()


class Outlet:
    """Sends the items of a stream: together what comes at once, but nothing waits for the next item.

    The first item, and each that took its time, leaves immediately. Others leave with those that follow
    within a moment: when the credit is used up, or else, when nothing follows, by the keeper's hand.
    """

    def __init__(self, pipes, keeper, number):
        self._pipes = pipes
        self._keeper = keeper
        self._number = number
        self._left_items = self._left_bytes = 0
        self._items = self._bytes = 0
        self._unsent = BATCH
        self._before = 0.0
        pipes.put(wire.STREAM, number)
        keeper.rouse()

    def is_spent(self):
        """Whether credit has to be taken from the window before the next item is made."""
        return self._left_items <= self._items or self._left_bytes <= self._bytes

    def spent(self):
        """What was sent since then, in items and bytes. It is on its way from now on."""
        self._pipes.flush()
        return self._items, self._bytes

    def renew(self, credit):
        """Goes on with this credit; without any the stream is over."""
        if credit is None:
            raise asyncio.CancelledError("the stream was closed")
        self._left_items, self._left_bytes = credit
        self._items = self._bytes = 0
        self._before = time.monotonic()

    def send(self, data):
        """Sends one item, now or within a moment."""
        self._pipes.put(wire.ITEM, self._number, data)
        size = len(data)
        self._items += 1
        self._bytes += size
        self._unsent += size
        now = time.monotonic()
        if self._unsent >= BATCH or now - self._before > PROMPT:
            self._pipes.flush()
            self._unsent = 0
        else:
            self._keeper.rouse()
        self._before = now
