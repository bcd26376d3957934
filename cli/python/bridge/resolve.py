"""From the name on the command line to the object that is served."""

import importlib
import os
import sys
import types

from . import failures


class CannotServe(Exception):
    """Why there is nothing to serve: one line for people, and a traceback where there is one."""

    def __init__(self, reason, cause=None):
        super().__init__(reason)
        self.details = "" if cause is None else failures.traceback_of(cause)


def resolve(target):
    """The object named `target`: `module`, `package.module`, `module.object`, `module.Class`…

    As in the reference, what lies behind a dot is looked for as an attribute first and as a module
    inside the package then, and something callable (a class) is called to get the object.
    """
    sys.path.insert(0, os.getcwd())
    parts = target.split(".")
    if not all(part.isidentifier() for part in parts):
        hint = "; leave out .py, and write dots for slashes" if "/" in target else ""
        raise CannotServe("%r is no name such as module or package.module.Class%s" % (target, hint))
    found = _import(parts[0])
    for count, part in enumerate(parts[1:], 1):
        found = _member(found, ".".join(parts[:count]), part)
    if callable(found) and not isinstance(found, types.ModuleType):
        return _call(found, target)
    return found


def _import(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise CannotServe(
                "no module named %r in %s, nor where %s looks for modules" % (name, os.getcwd(), sys.executable)
            ) from None
        raise _broken("importing %r failed" % name, error) from None
    except SyntaxError as error:
        raise _broken("%r can not be imported" % name, error) from None
    except BaseException as error:
        raise _broken("importing %r failed" % name, error) from None


def _member(found, path, name):
    try:
        return getattr(found, name)
    except AttributeError:
        pass
    except BaseException as error:
        raise _broken("getting %r from %r failed" % (name, path), error) from None
    if not hasattr(found, "__path__"):
        hint = "; leave out .py" if name == "py" else ""
        raise CannotServe("%r has no attribute %r%s" % (path, name, hint))
    inside = "%s.%s" % (found.__name__, name)
    try:
        return importlib.import_module(inside)
    except ModuleNotFoundError as error:
        if error.name == inside:
            raise CannotServe("the package %r has neither an attribute nor a module %r" % (path, name)) from None
        raise _broken("importing %r failed" % inside, error) from None
    except BaseException as error:
        raise _broken("importing %r failed" % inside, error) from None


def _call(found, target):
    try:
        return found()
    except BaseException as error:
        raise _broken("calling %s() failed" % target, error) from None


def _broken(what, error):
    return CannotServe("%s: %s" % (what, failures.last_line(error)), error)
