"""Calls as greenlets of gevent, for modules that are written for it: all that waits lets the others run."""

import functools

import gevent
import gevent.event
import gevent.os

from . import calls, signals, wire
from .calls import CancelledError, Window

# How often the event loop is turned where there are `async` methods, in seconds. Not measured: what a wait of such a method
# may be late, for five hundred turns in a second.
TURN = 0.002


class Greenlets(calls.Calls):
    """Reads the pipe in the greenlet that calls `serve`, and runs each call in one of its own."""

    def __init__(self, pipes, link, methods, current):
        super().__init__(pipes, methods, current)
        self._pipes = pipes
        self._link = link
        self._greenlets = {}
        self._tasks = None
        link.accept = self._accept
        link.event = gevent.event.Event
        # Handlers of signals may raise in any greenlet, as in any program with gevent.
        signals.inside = True
        gevent.os.make_nonblocking(pipes.filenos()[0])
        pipes.read = gevent.os.nb_read

    def serve(self):
        """Runs calls until the server closes the pipe."""
        while not self._link.ended:
            try:
                frames = self._pipes.receive()
                if self.is_forked:
                    # A fork that a greenlet has made is that greenlet's: the pipe is none of its business.
                    gevent.event.Event().wait()
                self._link.take(frames)
            except SystemExit:
                # A call that nothing else could end was ended by a signal.
                if self._pipes.is_closed():
                    return

    def close(self):
        """Ends streams, so that their `finally` runs."""
        greenlets = list(self._greenlets.values())
        gevent.killall(greenlets)
        if self._tasks is not None:
            self._tasks.close()

    def _accept(self, kind, number, body):
        if kind == wire.CALL:
            call = self.begin(number)
            greenlet = gevent.Greenlet(self._run, call, body)
            greenlet.gr_context = call.context
            self._greenlets[number] = greenlet
            call.cancel = functools.partial(greenlet.kill, block=False)
            greenlet.link(lambda _: self._ended(call))
            greenlet.start()
        elif kind == wire.CREDIT:
            self.credit(number, body)
        elif kind == wire.CANCEL and number in self.open:
            call = self.open[number]
            call.is_cancelled = True
            call.cancel()

    def _run(self, call, body):
        self.send(wire.BEGUN, call.number)
        self.execute(call, body, _call)

    def _ended(self, call):
        del self._greenlets[call.number]
        if call.number in self.open and call.method is None:
            self.fail(call, CancelledError("the call was given up before it began"))

    def start_stream(self, call, iterator):
        calls.drain(self, call, iterator, Window(gevent.event.Event()), _call)

    def start_async(self, call, result):
        if self._tasks is None:
            from .aio import Tasks

            self._tasks = Tasks(self)
        was_busy = self._tasks.is_busy()
        self._tasks.start(call, result)
        if not was_busy:
            gevent.spawn(self._turn)

    def _turn(self):
        while self._tasks.is_busy():
            self._tasks.turn()
            gevent.sleep(TURN)


def _call(function, *arguments):
    return function(*arguments)
