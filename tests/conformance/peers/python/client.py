"""A client of zerorpc-python that obeys the contract: client.py ENDPOINT HEARTBEAT"""

import json
import logging
import math
import os
import sys

import gevent
import gevent.fileobject
import msgpack
import zerorpc


def decoded(value):
    if isinstance(value, list):
        return [decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    tag = next(iter(value)) if len(value) == 1 else None
    if tag == "$bin":
        return bytes.fromhex(value[tag])
    if tag == "$ext":
        return msgpack.ExtType(value[tag][0], bytes.fromhex(value[tag][1]))
    if tag == "$float":
        return float(value[tag])
    if tag == "$map":
        return {decoded(key): decoded(item) for key, item in value[tag]}
    return {key: decoded(item) for key, item in value.items()}


def encoded(value):
    if isinstance(value, msgpack.ExtType):
        return {"$ext": [value.code, value.data.hex()]}
    if isinstance(value, (list, tuple)):
        return [encoded(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: encoded(item) for key, item in value.items()}
        return {"$map": [[encoded(key), encoded(item)] for key, item in value.items()]}
    if isinstance(value, bytes):
        return {"$bin": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": {"inf": "inf", "-inf": "-inf"}.get(str(value), "NaN")}
    return value


def remote(error):
    return {"name": error.name, "message": error.msg}


def call(client, order, options):
    try:
        answer = client(order["call"], *decoded(order.get("args", [])), **options)
        if hasattr(answer, "__next__"):
            answer.close()
            return {"failed": "the answer is a stream"}
        return {"ok": encoded(answer)}
    except zerorpc.RemoteError as error:
        return {"error": remote(error)}
    except zerorpc.TimeoutExpired:
        return {"timeout": True}
    except zerorpc.LostRemote:
        return {"lost": True}
    except Exception as error:
        return {"failed": "{0}: {1}".format(type(error).__name__, error)}


def stream(client, order, options):
    items, take = [], order.get("take")
    try:
        answer = client(order["stream"], *decoded(order.get("args", [])), **options)
        if not hasattr(answer, "__next__"):
            return {"items": items, "end": {"name": "TypeError", "message": "the answer is a value"}}
        try:
            while take is None or len(items) < take:
                try:
                    items.append(encoded(next(answer)))
                except StopIteration:
                    return {"items": items, "end": "done"}
                gevent.sleep(order.get("pause") or 0)
        finally:
            answer.close()
        return {"items": items, "end": "dropped"}
    except zerorpc.RemoteError as error:
        return {"items": items, "end": remote(error)}
    except zerorpc.TimeoutExpired:
        return {"items": items, "end": "timeout"}
    except zerorpc.LostRemote:
        return {"items": items, "end": "lost"}
    except Exception as error:
        return {"items": items, "end": {"name": type(error).__name__, "message": str(error)}}


def main():
    logging.basicConfig(level=logging.ERROR)
    client = zerorpc.Client(heartbeat=float(sys.argv[2]))
    client.connect(sys.argv[1])
    senders = {"push": zerorpc.Pusher, "pub": zerorpc.Publisher}
    for word in sys.argv[3:]:
        kind, _, endpoint = word.partition("=")
        if kind in senders:
            senders[kind] = senders[kind]()
            senders[kind].bind(endpoint)
        else:
            getattr(client, kind)(endpoint)

    def send(sender, method, order):
        sender(method, *decoded(order.get("args", [])))
        return {"ok": None}

    def obey(order):
        options = {"timeout": order["timeout"]} if order.get("timeout") else {}
        if "push" in order:
            outcome = send(senders["push"], order["push"], order)
        elif "publish" in order:
            outcome = send(senders["pub"], order["publish"], order)
        else:
            outcome = (stream if "stream" in order else call)(client, order, options)
        outcome["id"] = order["id"]
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()

    for line in gevent.fileobject.FileObject(sys.stdin.fileno(), "rb", closefd=False):
        gevent.spawn(obey, json.loads(line))
    os._exit(0)


if __name__ == "__main__":
    main()
