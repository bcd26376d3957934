"""Middlewares that the module has registered with the package from PyPI: their hooks run around calls."""

import inspect
import sys

from . import failures

HOOKS = ("load_task_context", "server_before_exec", "server_after_exec", "server_inspect_exception")


def wrap(method, header):
    """A function to be called instead of that of `method`, which runs the hooks as well; None when there are none.

    `header` is a dict of the keys that came with the request.
    """
    package = sys.modules.get("zerorpc.context")
    if package is None:
        return None
    context = getattr(getattr(package, "Context", None), "_instance", None)
    hooks = getattr(context, "_hooks", None)
    if hooks is None or not any(hooks.get(hook) for hook in HOOKS):
        return None

    def wrapped(*arguments):
        return Hooks(context, method, arguments, header).run()

    return wrapped


class Hooks:
    """The hooks of one call, in the order of the reference."""

    def __init__(self, context, method, arguments, header):
        self._context = context
        self._method = method
        self._request = self._event(method.name, list(arguments), header)

    def run(self):
        """Calls the function, and sees to its result."""
        return self._guarded(self._begin)

    def _begin(self):
        self._context.hook_load_task_context(self._request.header)
        self._context.hook_server_before_exec(self._request)
        return self._conclude(self._method.function(*self._request.args))

    def _conclude(self, result):
        # A stream is over when its last item was sent, and an `async` method when it was awaited.
        if self._method.streams_async(result):
            return self._items_async(result)
        if inspect.isawaitable(result):
            return self._awaited(result)
        if self._method.streams(result):
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

    def _guarded(self, step, *arguments):
        try:
            return step(*arguments)
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
