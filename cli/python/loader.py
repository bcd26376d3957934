"""Turns a fresh interpreter into the worker of a zerorpc server.

The server starts ``python3 -c BOOTSTRAP TARGET`` and hands this file over through stdin, followed by
the sources beside it: for each a line ``NAME LENGTH`` and the source, and an empty line after the last.
Then comes a line of options. What follows on the same pipe are frames (see ``wire.py``).

The bootstrap has left ``pipe`` behind: the buffered reading end of that pipe.
"""

import sys

# The current directory must not shadow what the bridge itself imports; `resolve.py` puts it back.
sys.path[:] = [place for place in sys.path if place]

import os  # noqa: E402
import struct  # noqa: E402

BRIDGE = "_zerorpc_bridge"
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


def read_sources(pipe):
    """The sources by their names, such as `bridge/wire`."""
    sources = {}
    while True:
        line = pipe.readline().split()
        if not line:
            return sources
        sources[line[0].decode()] = pipe.read(int(line[1])).decode()


class Finder:
    """Imports the bridge from memory, and the package `zerorpc` from a folder, where there is no other."""

    def __init__(self, sources, folder):
        self._sources = sources
        self._folder = folder

    def find_spec(self, name, path=None, target=None):
        """Comes last on `sys.meta_path`: only what nobody else finds is looked for here."""
        spec = type(sys.__spec__)
        if name == BRIDGE:
            return spec(name, self, is_package=True)
        package, _, module = name.rpartition(".")
        if package == BRIDGE and "bridge/" + module in self._sources:
            return spec(name, self, origin="<zerorpc>/%s.py" % module)
        if name == "zerorpc":
            return self._find_package(name)
        if package == "zerorpc" and self._folder in sys.path:
            raise ModuleNotFoundError(
                "the zerorpc of served code has no module %r: pip install zerorpc" % name, name=name
            )
        return None

    def create_module(self, spec):
        """As usual."""

    def exec_module(self, module):
        """Runs a module of the bridge."""
        if module.__name__ != BRIDGE:
            exec(compile(self.get_source(module.__name__), module.__spec__.origin, "exec"), module.__dict__)

    def get_source(self, name):
        """For tracebacks."""
        return self._sources.get("bridge/" + name.rpartition(".")[2])

    def _find_package(self, name):
        """Writes the package to a folder, where processes that are started by the module find it as well.

        The server removes the folder.
        """
        from importlib.machinery import PathFinder

        for source, text in self._sources.items():
            folder, _, module = source.rpartition("/")
            if folder == "zerorpc":
                os.makedirs(os.path.join(self._folder, folder), mode=0o700, exist_ok=True)
                with open(os.path.join(self._folder, source + ".py"), "w", encoding="utf-8") as file:
                    file.write(text)
        if self._folder not in sys.path:
            sys.path.append(self._folder)
        return PathFinder.find_spec(name, [self._folder])


def start(pipe):
    """Loads the bridge and lets it run."""
    output = take_standard_streams()
    if sys.version_info < OLDEST:
        refuse_old_python(output)
    sys.stdout.reconfigure(line_buffering=True)
    sources = read_sources(pipe)
    threads, gevent, current, folder = pipe.readline().decode().rstrip("\n").split(" ", 3)
    os.set_inheritable(int(current), False)
    sys.meta_path.append(Finder(sources, folder))
    from _zerorpc_bridge import worker

    worker.main(pipe, output, sys.argv[1], int(threads), gevent, int(current))


start(pipe)  # noqa: F821
