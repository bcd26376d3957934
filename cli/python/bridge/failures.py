"""Exceptions as the server passes them on."""

import os
import sys
import traceback

from . import codec

OURS = "<zerorpc>/"
HEADLINE = "Traceback (most recent call last):\n"

# Where frames tell nothing of the served module: the import machinery, and code of others.
MACHINERY = ("<frozen ", os.path.join(os.path.dirname(os.__file__), "importlib") + os.sep)
STANDARD = os.path.dirname(os.__file__) + os.sep
PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)


def failure(error, is_logged=True):
    """The body of a frame `FAILURE` for what a method has raised; the server may log it."""
    parts = (type(error).__name__, message_of(error), traceback_of(error))
    return codec.pack([_text(part) for part in parts] + [is_logged])


def unknown(name):
    """The body of a frame `FAILURE` for a method that does not exist; long names are cut: callers make them up."""
    return strings("NameError", name[:100], "")


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
    return _formatted(error, _without_ours)


def import_traceback_of(error):
    """What the author of a module needs to see of an error while it is imported.

    That is the frames in files of the module: not the import machinery, and not the libraries that it
    uses. Where the syntax is at fault, it says which Python that is.
    """
    text = _formatted(error, _of_the_module)
    return text + "Python is %s\n" % " ".join(sys.version.split()) if isinstance(error, SyntaxError) else text


def last_line(error):
    """An exception in one line: `ValueError: what it says`."""
    return " ".join(("%s: %s" % (type(error).__name__, message_of(error))).split())


def _formatted(error, chosen):
    """The traceback with the frames that `chosen` picks, also of the exceptions that led to this one."""
    try:
        summary = traceback.TracebackException(type(error), error, error.__traceback__)
        for part in _parts(summary):
            part.stack[:] = chosen(part.stack)
        text = "".join(summary.format())
    except Exception:
        text = "%s: %s\n" % (type(error).__name__, message_of(error))
    return text if HEADLINE in text else HEADLINE + text


def _parts(summary):
    """A summary, and those of the exceptions that belong to it."""
    seen, waiting = set(), [summary]
    while waiting:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        waiting += [part.__cause__, part.__context__]
        # Those of a group; Python 3.11 and later.
        waiting += getattr(part, "exceptions", None) or []


def _without_ours(frames):
    return [frame for frame in frames if not frame.filename.startswith(OURS)]


def _of_the_module(frames):
    frames = [frame for frame in _without_ours(frames) if not frame.filename.startswith(MACHINERY)]
    own = [frame for frame in frames if not _is_of_others(frame.filename)]
    # Modules that are installed may be served too.
    return own or frames


def _is_of_others(filename):
    return filename.startswith(STANDARD) or any(place in filename for place in PACKAGES)
