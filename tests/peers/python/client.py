"""A zerorpc-python client, pusher, publisher, puller or subscriber that obeys the test.

Each line of standard input is a command `{"id", "do", ...}`, answered by one line `{"id", "ok"}` or
`{"id", "error"}`. Commands run side by side, so answers may come in any order.
"""

import json
import logging

import gevent
import gevent.event
import gevent.local
import zerorpc

import harness
import tagged


class Headers:
    """A middleware that adds the headers of the running command to what it sends."""

    def __init__(self):
        self._task = gevent.local.local()

    def set(self, headers):
        self._task.headers = headers

    def get_task_context(self):
        return getattr(self._task, "headers", {})


class Caller:
    def __init__(self, wanted, headers):
        self._headers = headers
        self.socket = zerorpc.Client(
            timeout=wanted["timeout"],
            heartbeat=wanted["heartbeat"],
            passive_heartbeat=wanted["passive"],
        )

    def _answer(self, method, args, headers=None, timeout=None, slots=None):
        self._headers.set(headers or {})
        extra = {"timeout": timeout, "slots": slots}
        extra = {name: value for name, value in extra.items() if value is not None}
        return self.socket(method, *tagged.decode(args), **extra)

    def call(self, **request):
        answer = self._answer(**request)
        if hasattr(answer, "__next__"):
            answer.close()
            raise TypeError("{0} answered with a stream".format(request["method"]))
        return tagged.encode(answer)

    def stream(self, limit, delay, every, **request):
        items = []
        try:
            answer = self._answer(**request)
            if not hasattr(answer, "__next__"):
                raise TypeError("{0} answered with a plain value".format(request["method"]))
            if limit != 0:
                for item in answer:
                    items.append(tagged.encode(item))
                    if len(items) == limit:
                        break
                    if len(items) % every == 0:
                        gevent.sleep(delay)
            answer.close()
        except Exception as error:
            return {"items": items, "error": describe(error)}
        return {"items": items, "error": None}

    def many(self, method, calls):
        tasks = [gevent.spawn(outcome, self.call, method=method, args=args) for args in calls]
        gevent.joinall(tasks)
        return [task.value for task in tasks]


class Sender:
    def __init__(self, kind, headers):
        self._headers = headers
        self.socket = kind()

    def send(self, method, args, headers=None):
        self._headers.set(headers or {})
        self.socket(method, *tagged.decode(args))


class Inbox(dict):
    """A table in which every method exists, and keeps what it is called with."""

    def __init__(self):
        super().__init__()
        self.messages = []
        self.arrival = gevent.event.Event()

    def __contains__(self, method):
        return True

    def __getitem__(self, method):
        def keep(*args):
            self.messages.append({"method": method, "args": tagged.encode(args)})
            self.arrival.set()

        return keep


class Receiver:
    def __init__(self, kind):
        self._inbox = Inbox()
        self.socket = kind(methods=self._inbox)
        gevent.spawn(self.socket.run)

    def take(self, count):
        inbox = self._inbox
        while len(inbox.messages) < count:
            inbox.arrival.clear()
            inbox.arrival.wait()
        taken, inbox.messages = inbox.messages[:count], inbox.messages[count:]
        return taken


def describe(error):
    remote = isinstance(error, zerorpc.RemoteError)
    return {
        "type": type(error).__name__,
        "name": error.name if remote else None,
        "message": error.msg if remote else str(error),
        "traceback": error.traceback if remote else None,
    }


def outcome(action, **request):
    try:
        return {"ok": action(**request)}
    except Exception as error:
        return {"error": describe(error)}


def role(wanted, headers):
    kind = wanted["role"]
    if kind == "client":
        return Caller(wanted, headers)
    if kind in ("pusher", "publisher"):
        return Sender(getattr(zerorpc, kind.capitalize()), headers)
    return Receiver(getattr(zerorpc, kind.capitalize()))


def main():
    logging.basicConfig(level=logging.ERROR)
    wanted = harness.options()
    headers = Headers()
    zerorpc.Context.get_instance().register_middleware(headers)
    peer = role(wanted, headers)
    harness.ready(harness.link(peer.socket, wanted))

    def obey(request):
        number, action = request.pop("id"), getattr(peer, request.pop("do"))
        harness.say(json.dumps({"id": number, **outcome(action, **request)}))

    for line in harness.lines():
        gevent.spawn(obey, json.loads(line))
    harness.leave()


if __name__ == "__main__":
    main()
