"""The life of this process: load what is served, answer calls, end with the server."""

import atexit
import collections
import os
import signal
import sys
import threading
import time
import traceback

from . import decorators, failures, introspect, resolve, wire
from .runner import Runner
from .threads import Threads

# How long generators and exit handlers may take at the end. The server kills after one second more
# (`process.rs`).
GRACE = 2.0


def main(pipe, output, target):
    """Serves `target` until the server closes the pipe; does not return."""
    pipes = wire.Wire(pipe, output)
    sys.argv[:] = [target]
    for name in ("zerorpc", "zerorpc.decorators", "zerorpc.exceptions"):
        sys.modules[name] = decorators
    # These are for the server, which ends this process when its calls have ended. Programs that a
    # method starts do hear them, therefore this is a handler and not SIG_IGN, which they would inherit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)
    life = Life(pipes)
    # The pipe is read in another thread: the server may end while a module is still being imported.
    life.read_on()
    try:
        service = resolve.resolve(target)
        methods = introspect.methods_of(service)
        listing = introspect.describe(service, methods)
    except resolve.CannotServe as refusal:
        refuse(pipes, str(refusal), refusal.details)
    except BaseException as error:
        refuse(pipes, failures.last_line(error), failures.traceback_of(error))
    life.runner = Runner(pipes, methods, life.threads, life.read_on)
    pipes.send(wire.READY, 0, listing)
    life.ended.wait()
    life.close()


def refuse(pipes, reason, details):
    """Says why there is nothing to serve, and ends."""
    pipes.send(wire.REFUSED, 0, failures.strings(reason, details))
    leave(1)


class Life:
    """What the main thread and those that read the pipe share."""

    def __init__(self, pipes):
        self.runner = None
        self.threads = Threads()
        self.ended = threading.Event()
        self._pipes = pipes
        # What was read and nobody has taken up. Only the leader touches it.
        self._frames = collections.deque()

    def read_on(self):
        """Lets another thread read the pipe from now on; RuntimeError when there is none."""
        self.threads.run(self._read)

    def _read(self):
        """Passes the server's frames on; at their end, sees to it that this process ends too."""
        try:
            if not self._lead():
                return
        except BaseException:
            traceback.print_exc()
        if self.runner is not None:
            self.ended.set()
            time.sleep(GRACE)
        os._exit(1)

    def _lead(self):
        """True when the server is gone, false when another thread has taken over (`keeper.py`)."""
        frames = self._frames
        while True:
            while frames:
                kind, call, body = frames.popleft()
                if kind == wire.CALL:
                    if not self.runner.serve(call, body):
                        return False
                elif kind == wire.CREDIT:
                    self.runner.grant(call, body)
                elif kind == wire.CANCEL:
                    self.runner.cancel(call)
            if self.runner is not None:
                self.runner.pause()
            received = self._pipes.receive()
            if received is None:
                return True
            frames.extend(received)

    def close(self):
        """Ends in order: generators run their `finally`, exit handlers run, output is flushed."""
        self.runner.cancel_all()
        while self.runner.streaming():
            time.sleep(0.01)
        while self._pipes.waits():
            self._pipes.flush()
            time.sleep(0.001)
        leave(0)


def leave(status):
    """Ends this process without waiting for anybody's threads."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass
    os._exit(status)
