"""The life of this process: load what is served, answer calls, end with the server."""

import atexit
import os
import signal
import sys
import threading
import time
import traceback

from . import decorators, failures, introspect, resolve, wire
from .runner import Runner

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
    threading.Thread(target=life.read, name="zerorpc-reader", daemon=True).start()
    try:
        service = resolve.resolve(target)
        methods = introspect.methods_of(service)
        listing = introspect.describe(service, methods)
    except resolve.CannotServe as refusal:
        refuse(pipes, str(refusal), refusal.details)
    except BaseException as error:
        refuse(pipes, failures.last_line(error), failures.traceback_of(error))
    life.runner = Runner(pipes, methods)
    pipes.send(wire.READY, 0, listing)
    life.ended.wait()
    life.close()


def refuse(pipes, reason, details):
    """Says why there is nothing to serve, and ends."""
    pipes.send(wire.REFUSED, 0, failures.strings(reason, details))
    leave(1)


class Life:
    """What the main thread and the reader of the pipe share."""

    def __init__(self, pipes):
        self.runner = None
        self.ended = threading.Event()
        self._pipes = pipes

    def read(self):
        """Passes the server's frames on; at their end, sees to it that this process ends too."""
        try:
            while self._pass_on(self._pipes.receive()):
                pass
        except BaseException:
            traceback.print_exc()
        if self.runner is not None:
            self.ended.set()
            time.sleep(GRACE)
        os._exit(1)

    def _pass_on(self, frame):
        if frame is None:
            return False
        kind, call, body = frame
        if kind == wire.CALL:
            self.runner.begin(call, body)
        elif kind == wire.CREDIT:
            self.runner.grant(call, body)
        elif kind == wire.CANCEL:
            self.runner.cancel(call)
        return True

    def close(self):
        """Ends in order: generators run their `finally`, exit handlers run, output is flushed."""
        self.runner.cancel_all()
        while self.runner.streaming():
            time.sleep(0.01)
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
