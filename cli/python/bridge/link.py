"""Who reads the pipe: one thread at a time, for all that wait for something from it."""

import itertools
import threading
import time

from . import signals, wire


class Link:
    """The pipe as threads share it. Whoever waits for something reads it, unless another does already."""

    def __init__(self, pipes):
        # Who hears of frames about sockets that served code has opened: functions by number.
        self.handlers = {}
        # Takes up all other frames.
        self.accept = None
        self.ended = False
        self._pipes = pipes
        self._changed = threading.Condition()
        # The thread that reads, or keeps others from it.
        self._reader = None
        self._numbers = itertools.count(1)

    def send(self, kind, number, body):
        """Sends a frame about a socket; a handler of the module that raises meanwhile does not cut it off."""
        if not signals.is_inside():
            return self._pipes.send(kind, number, body)
        with signals.kept_out():
            return self._pipes.send(kind, number, body)

    def leave(self, kind, number):
        """The same for a frame without a body; from destructors as well."""
        if not signals.is_inside():
            return self._pipes.leave(kind, number)
        with signals.kept_out():
            return self._pipes.leave(kind, number)

    def next_number(self):
        """A number that no socket or request has yet."""
        return next(self._numbers)

    def event(self):
        """Something to wait for, from any thread; whoever waits reads the pipe."""
        return Event(self)

    def look(self):
        """Takes up what has come, without waiting, unless another thread reads the pipe and does so."""
        if self.try_hold():
            try:
                self.take_up()
            finally:
                self.let_go()

    def try_hold(self):
        """Keeps others from reading the pipe; false when another thread reads it."""
        with self._changed:
            if self._reader is not None:
                return False
            self._reader = threading.get_ident()
            return True

    def has_input(self, seconds):
        """Waits for input, for so long at most."""
        return self._pipes.has_input(seconds)

    def filenos(self):
        """What is readable when something has come."""
        return self._pipes.filenos()

    def take_up(self):
        """Takes up what has come, without waiting; for whoever holds the pipe."""
        if self._pipes.has_input():
            self.take(self._pipes.receive())

    def let_go(self):
        """Lets others read the pipe."""
        with self._changed:
            self._reader = None
            self._changed.notify_all()

    def read_until(self, holds, seconds=None, has_input=None):
        """Reads the pipe, or lets another thread do so, until `holds()`; false after so many seconds, or at the end.

        `has_input` waits for input where that must not be done by reading.
        """
        until = None if seconds is None else time.monotonic() + seconds
        while not holds():
            left = None if until is None else until - time.monotonic()
            if self.ended or left is not None and left <= 0:
                return False
            with self._changed:
                held, me = self._reader, threading.get_ident()
                if held not in (None, me):
                    self._changed.wait(left)
                    continue
                self._reader = me
            try:
                if left is None and has_input is None or (has_input or self._pipes.has_input)(left):
                    self.take(self._pipes.receive())
            finally:
                # A task may wait here while the loop that runs it holds the pipe.
                if held is None:
                    self.let_go()
        return True

    def take(self, frames):
        """Takes up frames; None is the end."""
        if frames is None:
            self.ended = True
            return
        is_awaited = False
        for kind, number, body in frames:
            if kind < wire.OUTGOING:
                self.accept(kind, number, body)
            else:
                is_awaited = True
                handler = self.handlers.get(number)
                if handler is not None:
                    handler(kind, body)
        if is_awaited:
            with self._changed:
                self._changed.notify_all()


class Event:
    """As `threading.Event`, but whoever waits reads the pipe."""

    def __init__(self, link):
        self._link = link
        self._is_set = False

    def is_set(self):
        """Whether it was set."""
        return self._is_set

    def set(self):
        """Lets everybody who waits go on. For the thread that reads the pipe, which wakes the others."""
        self._is_set = True

    def wait(self, timeout=None):
        """Waits until it is set; false after so many seconds."""
        if not signals.is_inside():
            return self._link.read_until(self.is_set, timeout)
        # A handler of the module may end the method that waits here, but not while something is taken up.
        with signals.kept_out():
            return self._link.read_until(self.is_set, timeout, self._has_input)

    def _has_input(self, seconds):
        with signals.let_in():
            return self._link.has_input(seconds)
