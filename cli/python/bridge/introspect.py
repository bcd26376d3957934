"""What an object exposes, and what can be said of it."""

import ast
import inspect
import re
import sys

from . import codec, servers

# How our decorators mark a function.
MARK = "__zerorpc_pattern__"
# What stands for that in the package zerorpc, whose decorators are objects: the class of their `pattern`.
PATTERNS = {"ReqStream": "stream", "ReqRep": "rep"}

# What Python says of a call without keywords where some are needed.
MISSES_KEYWORDS = re.compile(r"\bkeyword-only argument")

class Method:
    """Something callable under a public name."""

    def __init__(self, name, function):
        self.name = name
        self.function = function
        self._pattern = pattern_of(function)
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


def pattern_of(function):
    """`"stream"`, `"rep"`, or None for a function without a mark: of ours, or of the package zerorpc."""
    mark = getattr(function, MARK, None)
    if isinstance(mark, str):
        return mark
    if _taken_in(function) is None:
        return None
    pattern = function.pattern
    for base in (pattern if isinstance(pattern, type) else type(pattern)).__mro__:
        if base.__name__ in PATTERNS:
            return PATTERNS[base.__name__]
    return None


def unwrapped(function):
    """The function that decorators of the package zerorpc have taken in, one in the other."""
    inner = _taken_in(function)
    for _ in range(16):
        if inner is None:
            break
        function, inner = inner, _taken_in(inner)
    return function


def _taken_in(function):
    """What a decorator of the package zerorpc has around it; None for anything else."""
    if not hasattr(type(function), "pattern"):
        return None
    inner = getattr(function, "_functor", None)
    return inner if callable(inner) else None


def is_async(function):
    """Whether calling it only makes a coroutine or an asynchronous generator."""
    function = unwrapped(function)
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def name_of(service):
    """The service's name: that of the module, or of the object's class; servers have a name of their own."""
    name = servers.name_of(service)
    if name is not None:
        return name
    name = getattr(service, "__name__", None)
    return name if isinstance(name, str) else type(service).__name__


def methods_of(service):
    """The exposed methods by name, in alphabetical order: whatever is callable and has no leading `_`."""
    exposed = servers.exposed_by(service)
    if exposed is not None:
        service = exposed
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
        doc = inspect.getdoc(unwrapped(function))
    except Exception:
        return None
    return _text(doc) if isinstance(doc, str) else None


def _text(text):
    return text.encode("utf-8", "backslashreplace").decode()


def _packable(found):
    """A signature in which defaults without a msgpack form are shown as the text that Python shows."""
    if found is None:
        return None
    arguments, varargs, keywords, keyword_only = found
    return [_packable_list(arguments), varargs, keywords, _packable_list(keyword_only)]


def _packable_list(arguments):
    return [[name] + [_default(value) for value in default] for name, *default in arguments]


def _default(value):
    try:
        codec.pack(value)
        return value
    except Exception:
        return _text(repr(value))


def signature(function):
    """`(arguments, varargs or None, keywords or None, keyword-only arguments)`; None when unknown.

    Arguments are lists of `[name]` or `[name, default]`. Bound methods list `self`, as in the reference.
    """
    function = unwrapped(function)
    try:
        parameters = _parameters(function)
    except Exception:
        return documented_signature(getattr(function, "__name__", ""), getattr(function, "__doc__", None))
    arguments, varargs, keywords, keyword_only = [], None, None, []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            varargs = parameter.name
        elif parameter.kind is parameter.VAR_KEYWORD:
            keywords = parameter.name
        else:
            default = [] if parameter.default is parameter.empty else [parameter.default]
            listed = keyword_only if parameter.kind is parameter.KEYWORD_ONLY else arguments
            listed.append([parameter.name] + default)
    return arguments, varargs, keywords, keyword_only


def _parameters(function):
    inner = function.__func__ if inspect.ismethod(function) else function
    if hasattr(type(inner), "__getattr__"):
        # Whatever it is asked for, it may make up, or even call: such as a client of another service.
        inner = type(inner).__call__
    return inspect.signature(inner).parameters.values()


def explained(method, error):
    """An error that says plainly what was wrong with a call, where Python blames the caller for it.

    For what calling `method.function` has raised. Calls carry positional arguments only.
    """
    if not isinstance(error, TypeError) or not MISSES_KEYWORDS.search(str(error)):
        return error
    function = unwrapped(method.function)
    try:
        needed = [p.name for p in _parameters(function) if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
        if not needed or _has_run(inspect.unwrap(function), error):
            return error
    except Exception:
        return error
    if len(needed) == 1:
        form = "%s() needs the keyword-only argument %s, which callers of a service can not give; give it a default"
    else:
        form = "%s() needs the keyword-only arguments %s, which callers of a service can not give; give them defaults"
    told = TypeError(form % (method.name, ", ".join(map(repr, needed))))
    return told.with_traceback(error.__traceback__)


def _has_run(function, error):
    """Whether the body of a function is among the frames of an error."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    frames = error.__traceback__
    while frames is not None:
        if frames.tb_frame.f_code is code:
            return True
        frames = frames.tb_next
    return False


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
    arguments, varargs, keywords, keyword_only = [], None, None, []
    optional, listed = 0, arguments
    for token in re.findall(r"[\[\]]|[^\[\],]+", inside):
        token = token.strip()
        if token in ("[", "]"):
            optional += 1 if token == "[" else -1
            continue
        if token in ("", "/"):
            continue
        if token in ("*", "..."):
            varargs = varargs or (None if token == "*" else "args")
            listed = keyword_only
            continue
        piece = PIECE.fullmatch(token)
        if piece is None or token.count("(") != token.count(")"):
            return None
        stars, argument, default = piece.groups()
        if stars == "**":
            keywords = argument
        elif stars:
            varargs, listed = argument, keyword_only
        else:
            listed.append([argument] + _documented_default(default, optional > 0))
    return arguments, varargs, keywords, keyword_only


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
