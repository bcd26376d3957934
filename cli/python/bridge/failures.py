"""Exceptions as the server passes them on."""

import traceback

from . import codec

OURS = "<zerorpc>/"
OURS_MODULE = "_zerorpc_bridge.calls"
HEADLINE = "Traceback (most recent call last):\n"


def failure(error):
    """The body of a frame `FAILURE` for what a method has raised."""
    parts = (type(error).__name__, message_of(error), traceback_of(error))
    return codec.pack([_text(part) for part in parts] + [type(error).__module__ != OURS_MODULE])


def unknown(name):
    """The body of a frame `FAILURE` for a method that does not exist."""
    return strings("NameError", name, "")


def strings(*texts):
    """An array of texts; what is no valid Unicode in them is shown as escapes."""
    return codec.pack([_text(text) for text in texts])


def _text(text):
    return text.encode("utf-8", "backslashreplace").decode()


def own_frames(frames):
    """A traceback without the frames of the bridge that it begins with."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(OURS):
        frames = frames.tb_next
    return frames


def message_of(error):
    """What `str` says of an exception, even of one whose `__str__` fails."""
    try:
        return str(error)
    except Exception:
        return "<no text: str() of this %s fails>" % type(error).__name__


def traceback_of(error):
    """The text that Python prints for an uncaught exception, without the frames of the bridge."""
    frames = own_frames(error.__traceback__)
    try:
        text = "".join(traceback.TracebackException(type(error), error, frames).format())
    except Exception:
        text = "%s: %s\n" % (type(error).__name__, message_of(error))
    return text if HEADLINE in text else HEADLINE + text


def last_line(error):
    """An exception in one line: `ValueError: what it says`."""
    return " ".join(("%s: %s" % (type(error).__name__, message_of(error))).split())
