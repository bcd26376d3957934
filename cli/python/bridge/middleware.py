"""Middlewares that the module has registered with the package from PyPI: their hooks run around calls."""

import inspect
import sys

from . import failures

HOOKS = ("load_task_context", "server_before_exec", "server_after_exec", "server_inspect_exception")


def wrap(function, name, header, is_stream=False, service=None):
    """A function to be called instead of `function`, which runs the hooks as well; None when there are none.

    `header` is a dict of the keys that came with the request; `is_stream` says that whatever can be iterated is sent
    item by item; `service` is what is served, which may have a context of its own.
    """
    context = getattr(sys.modules.get("zerorpc.context"), "Context", None)
    if context is None:
        return None
    own = getattr(service, "_context", None)
    context = own if isinstance(own, context) else context._instance
    hooks = getattr(context, "_hooks", {})
    if not any(hooks.get(hook) for hook in HOOKS):
        return None

    def wrapped(*arguments):
        return Hooks(context, name, arguments, header, is_stream).run(function)

    return wrapped


class Hooks:
    """The hooks of one call, in the order of the reference."""

    def __init__(self, context, name, arguments, header, is_stream):
        self._context = context
        self._is_stream = is_stream
        self._request = self._event(name, list(arguments), header)

    def run(self, function):
        """Calls the function, and sees to its result."""
        return self._guarded(self._begin, function)

    def _begin(self, function):
        self._context.hook_load_task_context(self._request.header)
        self._context.hook_server_before_exec(self._request)
        return self._conclude(function(*self._request.args))

    def _conclude(self, result):
        # A stream is over when its last item was sent, and an `async` method when it was awaited.
        if hasattr(type(result), "__anext__") or (self._is_stream and hasattr(type(result), "__aiter__")):
            return self._items_async(result)
        if inspect.isawaitable(result):
            return self._awaited(result)
        if hasattr(type(result), "__next__") or (self._is_stream and hasattr(type(result), "__iter__")):
            return self._items(result)
        reply = self._reply("OK", (result,))
        self._context.hook_server_after_exec(self._request, reply)
        return reply.args[0]

    def _items(self, items):
        try:
            yield from items
            self._context.hook_server_after_exec(self._request, self._reply("STREAM_DONE", None))
        except Exception as error:
            self._inspect(error)
            raise

    async def _items_async(self, items):
        iterator = items.__aiter__()
        try:
            async for item in iterator:
                yield item
            self._context.hook_server_after_exec(self._request, self._reply("STREAM_DONE", None))
        except Exception as error:
            self._inspect(error)
            raise
        finally:
            if hasattr(iterator, "aclose"):
                await iterator.aclose()

    async def _awaited(self, awaitable):
        try:
            result = await awaitable
        except Exception as error:
            self._inspect(error)
            raise
        return self._guarded(self._conclude, result)

    def _guarded(self, step, argument):
        try:
            return step(argument)
        except Exception as error:
            self._inspect(error)
            raise

    def _inspect(self, error):
        lost = getattr(sys.modules.get("zerorpc.exceptions"), "LostRemote", ())
        if not isinstance(error, lost):
            told = (type(error).__name__, failures.message_of(error), failures.traceback_of(error))
            exc_infos = [type(error), error, error.__traceback__]
            self._context.hook_server_inspect_exception(self._request, self._reply("ERR", told), exc_infos)

    def _reply(self, name, arguments):
        header = self._context.hook_get_task_context()
        return self._event(name, arguments, dict(header, response_to=self._request.header["message_id"]))

    def _event(self, name, arguments, header):
        event = sys.modules["zerorpc.events"].Event
        whole = dict({"message_id": self._context.new_msgid(), "v": 3}, **header)
        return event(name, arguments, self._context, whole)
