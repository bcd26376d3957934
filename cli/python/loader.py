"""Turns a fresh interpreter into the worker of a zerorpc server.

The server starts ``python3 -c BOOTSTRAP TARGET`` and hands this file over through stdin, followed by
the modules of the bridge: for each a line ``NAME LENGTH`` and its source, and an empty line after the
last. What follows on the same pipe are frames (see ``wire.py``). Nothing is written to disk.

The bootstrap has left ``pipe`` behind: the buffered reading end of that pipe.
"""

import sys

# The current directory must not shadow what the bridge itself imports; `resolve.py` puts it back.
sys.path[:] = [place for place in sys.path if place]

import linecache  # noqa: E402
import os  # noqa: E402
import struct  # noqa: E402
import types  # noqa: E402

PACKAGE = "_zerorpc_bridge"
OLDEST = (3, 8)


def take_standard_streams():
    """Moves the protocol off fd 1; prints of the served module go to stderr, whoever makes them."""
    output = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return output


def refuse_old_python(output):
    """Tells the server that this interpreter is too old: a frame `REFUSED`, made by hand."""
    reason = "Python %d.%d or newer is needed, but %s is Python %d.%d" % (
        OLDEST + (sys.executable,) + sys.version_info[:2]
    )
    text = reason.encode("utf-8", "backslashreplace")
    body = b"\x92" + struct.pack(">BI", 0xDB, len(text)) + text + b"\xa0"
    os.write(output, struct.pack(">QQB", len(body), 0, 1) + body)
    os._exit(1)


def load(package, name, source):
    """Makes one module of the bridge; tracebacks find its lines in `linecache`."""
    filename = "<zerorpc>/%s.py" % name
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    module = types.ModuleType(PACKAGE + "." + name)
    module.__package__ = PACKAGE
    sys.modules[module.__name__] = module
    setattr(package, name, module)
    exec(compile(source, filename, "exec"), module.__dict__)


def start(pipe):
    """Loads the bridge and lets it run."""
    output = take_standard_streams()
    if sys.version_info < OLDEST:
        refuse_old_python(output)
    sys.stdout.reconfigure(line_buffering=True)
    package = sys.modules[PACKAGE] = types.ModuleType(PACKAGE)
    package.__path__ = []
    while True:
        line = pipe.readline().split()
        if not line:
            break
        load(package, line[0].decode(), pipe.read(int(line[1])).decode())
    package.worker.main(pipe, output, sys.argv[1])


start(pipe)  # noqa: F821
