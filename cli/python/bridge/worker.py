"""The life of this process: load what is served, answer calls, end with the server."""

import os
import sys

from . import failures, resolve, wire


def main(pipe, output, target, threads, gevent, current):
    """Serves `target` until the server closes the pipe; does not return."""
    pipes = wire.Wire(pipe, output)
    sys.argv[:] = [target]
    offer_link(pipes)
    stop_telling = tell_where(current)
    # Nothing else of ours is imported before the module: it finds a process as it would have it alone.
    try:
        service = resolve.resolve(target)
        stop_telling()
        calls = prepare(pipes, service, threads, gevent, current)
    except resolve.CannotServe as refusal:
        refuse(pipes, str(refusal), refusal.details)
    except BaseException as error:
        refuse(pipes, failures.last_line(error), failures.import_traceback_of(error))
    try:
        calls.serve()
    except BaseException:
        # Never: whoever sees this process end is to see why.
        import traceback

        traceback.print_exc()
    finally:
        from . import ending

        calls.close()
        ending.leave(0)


def prepare(pipes, service, threads, gevent, current):
    """Gets ready to run calls, in the way that the module needs, and tells the server."""
    import _zerorpc_bridge

    from . import introspect, signals

    methods = introspect.methods_of(service)
    listing = introspect.describe(service, methods)
    signals.take(pipes.is_closed)
    show_unconfigured_logs()
    way, kind = way_to_run(threads, gevent)
    calls = kind(pipes, _zerorpc_bridge.link, methods, shared_numbers(current))
    pipes.send(wire.READY, way, listing)
    return calls


def offer_link(pipes):
    """Lets the package `zerorpc` find `_zerorpc_bridge.link`, which is made when it is first wanted.

    That may be while the module is being imported: it can open sockets then. What it forks has no link.
    """
    import _zerorpc_bridge as bridge

    def make(name):
        if name != "link":
            raise AttributeError("module %r has no attribute %r" % (bridge.__name__, name))
        from .link import Link

        # Takes the place of the module of that name.
        bridge.link = Link(pipes)
        return bridge.link

    bridge.__getattr__ = make
    os.register_at_fork(after_in_child=lambda: setattr(bridge, "link", None))


def tell_where(current):
    """From now on SIGURG, which is ignored otherwise, has this process write where its main thread is, into the file that the
    server reads. It works in the midst of C as well, and needs no thread. What is returned ends it.
    """
    try:
        import faulthandler
        import signal

        faulthandler.register(signal.SIGURG, file=current, all_threads=False)
    except (ImportError, AttributeError, RuntimeError, OSError):
        # The server can do without.
        return lambda: None
    return lambda: faulthandler.unregister(signal.SIGURG)


def way_to_run(threads, gevent):
    """How the server is told that calls are run, and the class that does so."""
    if gevent == "yes" or gevent == "auto" and not threads and "gevent" in sys.modules:
        import gc

        # zope.interface, which gevent imports, crashes with Python 3.8 if garbage is collected meanwhile (its issue 340).
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            from .green import Greenlets
        except ImportError as error:
            raise resolve.CannotServe("calls can not be greenlets: %s (pip install gevent)" % error) from None
        finally:
            if was_enabled:
                gc.enable()
        return wire.GREENLETS, Greenlets
    if threads:
        from .threads import Threads

        return wire.THREADS, Threads
    from .serial import Serial

    return wire.SERIAL, Serial


def shared_numbers(current):
    """The numbers by which the server knows what the main thread is at: a file that both have open."""
    import mmap

    return memoryview(mmap.mmap(current, 16)).cast("Q")


def show_unconfigured_logs():
    """What a module logs without having configured it shows its level and logger."""
    import logging

    logging.lastResort.setFormatter(logging.Formatter("%(levelname)s:%(name)s: %(message)s"))


def refuse(pipes, reason, details):
    """Says why there is nothing to serve, and ends."""
    from . import ending

    pipes.send(wire.REFUSED, 0, failures.strings(reason, details))
    ending.leave(1)
