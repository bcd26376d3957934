"""Loads only as long as the file beside it allows."""

import os

HERE = os.getcwd()
if os.path.exists(os.path.join(HERE, "broken")):
    raise RuntimeError("broken on purpose")


def leave():
    os._exit(5)


def pid():
    return os.getpid()
