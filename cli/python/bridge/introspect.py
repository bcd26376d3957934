"""What an object exposes, and what can be said of it."""

import ast
import inspect
import re
import sys

from . import codec, decorators


class Method:
    """Something callable under a public name."""

    def __init__(self, name, function):
        self.name = name
        self.function = function
        self._pattern = decorators.pattern_of(function)
        self.is_stream = self._pattern == "stream"

    def streams(self, result):
        """Whether this result is sent item by item: iterators are, containers only where marked."""
        return self._yields(result, "__next__", "__iter__") or self.is_stream

    def streams_async(self, result):
        """The same for what is iterated with `async for`."""
        return self._yields(result, "__anext__", "__aiter__")

    def _yields(self, result, of_iterator, of_container):
        if self._pattern == "rep":
            return False
        return hasattr(type(result), of_container if self.is_stream else of_iterator)


def name_of(service):
    """The service's name: that of the module, or of the object's class."""
    name = getattr(service, "__name__", None)
    return name if isinstance(name, str) else type(service).__name__


def methods_of(service):
    """The exposed methods by name, in alphabetical order: whatever is callable and has no leading `_`."""
    if isinstance(service, dict):
        names = sorted(name for name in service if isinstance(name, str))
        found = [(name, service[name]) for name in names]
    else:
        found = [(name, _get(service, name)) for name in dir(service) if not name.startswith("_")]
    return {
        name: Method(name, function)
        for name, function in found
        if callable(function) and not name.startswith("_")
    }


def _get(service, name):
    try:
        return getattr(service, name)
    except Exception as error:
        # A property may need what is not there yet. It is no method; the others are served.
        print("zerorpc: %s is not served: %r" % (name, error), file=sys.stderr)
        return None


def describe(service, methods):
    """The body of a frame `READY`."""
    listed = [[m.name, _doc(m.function), _packable(signature(m.function))] for m in methods.values()]
    return codec.pack([_text(name_of(service)), listed])


def _doc(function):
    try:
        doc = inspect.getdoc(function)
    except Exception:
        return None
    return _text(doc) if isinstance(doc, str) else None


def _text(text):
    return text.encode("utf-8", "backslashreplace").decode()


def _packable(found):
    """A signature in which defaults without a msgpack form are shown as the text that Python shows."""
    if found is None:
        return None
    arguments, varargs, keywords = found
    return [[[name] + [_default(d) for d in default] for name, *default in arguments], varargs, keywords]


def _default(value):
    try:
        codec.pack(value)
        return value
    except Exception:
        return _text(repr(value))


def signature(function):
    """`([[name] or [name, default]...], varargs or None, keywords or None)`; None when unknown.

    Bound methods list `self`, as in the reference.
    """
    inner = function.__func__ if inspect.ismethod(function) else function
    try:
        parameters = inspect.signature(inner).parameters.values()
    except Exception:
        return documented_signature(getattr(function, "__name__", ""), getattr(function, "__doc__", None))
    arguments, varargs, keywords = [], None, None
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            varargs = parameter.name
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords = parameter.name
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            default = [] if parameter.default is parameter.empty else [parameter.default]
            arguments.append([parameter.name] + default)
    return arguments, varargs, keywords


PIECE = re.compile(r"(\*{0,2})([^\W\d]\w*)\s*(?::[^=]*)?(?:=\s*(.+))?", re.DOTALL)


def documented_signature(name, doc):
    """Reads the first line of a docstring such as `strftime(format[, tuple]) -> string`.

    What stands in brackets may be left out: its default is None.
    """
    if not isinstance(doc, str) or not name:
        return None
    line = doc.strip().partition("\n")[0]
    start = re.match(r"(?:[\w.]*\.)?%s\(" % re.escape(name), line)
    inside = _until_closed(line[start.end():]) if start else None
    if inside is None:
        return None
    arguments, varargs, keywords, optional = [], None, None, 0
    for token in re.findall(r"[\[\]]|[^\[\],]+", inside):
        token = token.strip()
        if token in ("[", "]"):
            optional += 1 if token == "[" else -1
            continue
        if token in ("", "/"):
            continue
        if token in ("*", "..."):
            varargs = varargs or ("" if token == "*" else "args")
            continue
        piece = PIECE.fullmatch(token)
        if piece is None or token.count("(") != token.count(")"):
            return None
        stars, argument, default = piece.groups()
        if stars == "**":
            keywords = argument
        elif stars:
            varargs = argument
        elif varargs is None:
            arguments.append([argument] + _documented_default(default, optional > 0))
    return arguments, varargs or None, keywords


def _documented_default(text, optional):
    if text is None:
        return [None] if optional else []
    try:
        return [ast.literal_eval(text)]
    except (ValueError, SyntaxError):
        return [text]


def _until_closed(text):
    """What stands before the parenthesis that closes the list; None when nothing closes it."""
    depth = 1
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[:position]
    return None


def is_async(function):
    """Whether calling it only makes a coroutine or an asynchronous generator."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def explained(method, error):
    """A TypeError with what callers can do about it, where it came of calling the method with wrong arguments."""
    return error
