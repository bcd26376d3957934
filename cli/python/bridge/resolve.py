"""From what stands on the command line to the object that is served."""

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import types

from . import failures, servers


class CannotServe(Exception):
    """Why there is nothing to serve: one line for people, and a traceback where there is one."""

    def __init__(self, reason, cause=None):
        super().__init__(reason)
        self.details = "" if cause is None else failures.import_traceback_of(cause)


def resolve(target):
    """The object that `target` names.

    =====================================  =============================================================
    `module`, `package.module`             anything that Python can import, also `my-service`
    `module.object`, `module.Class`…       what lies behind a dot is looked for as an attribute first, and
                                           as a module inside the package then, as in the reference
    `package.module:object`                what lies behind the colon is an attribute
    `./path/to/file.py`, `./folder`        a file, or the package or program that a folder is; with
                                           `:object` behind it too
    =====================================  =============================================================

    Something callable (a class) is called to get the object.
    """
    sys.path.insert(0, os.getcwd())
    location, inside = _parted(target)
    if os.sep in location:
        found = _served(_load(location))
    elif inside is not None:
        found = _served(_import(location))
    else:
        location, *inside = _names(target, target)
        found = _import(location)
        for name in inside:
            found, location = _member(found, location, name), "%s.%s" % (location, name)
        found, inside = _served(found), None
    for name in inside or ():
        found, location = _attribute(found, location, name), "%s.%s" % (location, name)
    if callable(found) and not isinstance(found, types.ModuleType) and servers.name_of(found) is None:
        return _call(found, target)
    return found


def _parted(target):
    """What stands before the colon, and the names behind it; None where there is no colon."""
    location, colon, behind = target.rpartition(":")
    if not colon or os.sep in behind or os.path.exists(target):
        return target, None
    if os.sep not in location:
        _names(location, target)
    return location, _names(behind, target)


def _names(text, target):
    names = text.split(".")
    if not all(names):
        raise CannotServe(
            "%r is no name such as module, package.module.Class, package.module:object or ./path/to/file.py"
            % target
        )
    return names


def _import(name):
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Not something that the module itself imports.
        if error.name == name or name.startswith("%s." % error.name):
            raise CannotServe(
                "no module named %r in %s, nor where %s looks for modules%s"
                % (error.name, os.getcwd(), sys.executable, _hint_at_file(name))
            ) from None
        raise _broken("importing %r failed" % name, error) from None
    except BaseException as error:
        raise _not_imported(name, error) from None


def _hint_at_file(name):
    """What to write for a module that was meant as a file."""
    return "; leave out .py, or write ./%s" % name if name.endswith(".py") else ""


def _member(found, path, name):
    try:
        return getattr(found, name)
    except AttributeError:
        pass
    except BaseException as error:
        raise _broken("getting %r from %r failed" % (name, path), error) from None
    if not hasattr(found, "__path__"):
        hint = _hint_at_file("%s.py" % path) if name == "py" else ""
        raise CannotServe("%r has no attribute %r%s" % (path, name, hint))
    inside = "%s.%s" % (found.__name__, name)
    try:
        return importlib.import_module(inside)
    except ModuleNotFoundError as error:
        if error.name == inside:
            raise CannotServe("the package %r has neither an attribute nor a module %r" % (path, name)) from None
        raise _broken("importing %r failed" % inside, error) from None
    except BaseException as error:
        raise _not_imported(inside, error) from None


def _attribute(found, path, name):
    try:
        return getattr(found, name)
    except AttributeError:
        raise CannotServe("%r has no attribute %r" % (path, name)) from None
    except BaseException as error:
        raise _broken("getting %r from %r failed" % (name, path), error) from None


def _call(found, target):
    try:
        return found()
    except BaseException as error:
        raise _broken("calling %s() failed" % target, error) from None


def _served(found):
    """The module; for a package that is empty but for its `__main__`, as for `python -m`, that one."""
    if not isinstance(found, types.ModuleType) or not hasattr(found, "__path__"):
        return found
    content = vars(found)
    if "__getattr__" in content or any(
        callable(value) for name, value in content.items() if not name.startswith("_")
    ):
        return found
    main = "%s.__main__" % found.__name__
    return _import(main) if importlib.util.find_spec(main) else found


def _load(path):
    """The module that a file is, or a folder.

    Its place comes first where modules are looked for, as if Python ran it: others beside it can be
    imported, and a child process that is told where to look finds it under the same name.
    """
    file = _file(path)
    folder, base = os.path.split(file)
    root, names = _package(folder, inspect.getmodulename(base) or base)
    # First where Python would look. Last, so that nothing of Python is hidden, where it would not: a file
    # may belong to a package, and then the others beside it may be imported both ways.
    first, last = (folder, root) if names[-1] == "__main__" else (root, folder)
    sys.path.insert(0, first)
    if last != first:
        sys.path.append(last)
    name = ".".join(names)
    try:
        if not any("." in part for part in names) and _leads_to(name, file):
            return importlib.import_module(name)
        return _execute(names[-1].replace(".", "_"), file)
    except BaseException as error:
        raise _not_imported(path, error) from None


def _file(path):
    file = os.path.abspath(path)
    if os.path.isdir(file):
        for name in ("__init__.py", "__main__.py"):
            if os.path.isfile(os.path.join(file, name)):
                return os.path.join(file, name)
        raise CannotServe("the folder %r has neither an __init__.py nor a __main__.py" % file)
    if not os.path.isfile(file):
        hint = ""
        start = path.rfind(".py.")
        if os.path.isfile(path + ".py"):
            hint = "; there is %s.py" % path
        elif start > 0 and os.path.isfile(path[:start + 3]):
            hint = "; write %s:%s" % (path[:start + 3], path[start + 4:])
        raise CannotServe("there is no file %r%s" % (file, hint))
    return file


def _package(folder, name):
    """Where the outermost package around a file lies, and the names from there to the file."""
    names = [] if name == "__init__" else [name]
    if name == "__main__" and not _is_package(folder):
        # As `python folder` runs it; also a folder without `__init__.py` can be imported.
        root, last = os.path.split(folder)
        return root, [last, name]
    root = folder
    while _is_package(root):
        root, last = os.path.split(root)
        # What has no name that can be imported is no package.
        if not last or "." in last:
            return folder, [name]
        names.insert(0, last)
    return root, names


def _is_package(folder):
    return os.path.isfile(os.path.join(folder, "__init__.py"))


def _leads_to(name, file):
    """Whether Python finds this file by the name, and not another module that is called the same."""
    try:
        spec = importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return False
    return spec is not None and bool(spec.has_location) and os.path.samefile(spec.origin, file)


def _execute(name, file):
    """Runs a file as a module whose name leads elsewhere, or is none."""
    while name in sys.modules or importlib.util.find_spec(name) is not None:
        name += "_"
    loader = None
    if inspect.getmodulename(file) is None:
        loader = importlib.machinery.SourceFileLoader(name, file)
    spec = importlib.util.spec_from_file_location(name, file, loader=loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _not_imported(what, error):
    if isinstance(error, SyntaxError):
        reason = "%r can not be imported: %s; this is Python %d.%d.%d"
        return CannotServe(reason % ((what, failures.last_line(error)) + sys.version_info[:3]), error)
    broken = _broken("importing %r failed" % what, error)
    if isinstance(error, ImportError) and "relative import" in failures.message_of(error):
        hint = "; that needs an __init__.py beside the file, or the name package.module for it"
        return CannotServe(str(broken) + hint, error)
    return broken


def _broken(what, error):
    return CannotServe("%s: %s" % (what, failures.last_line(error)), error)
