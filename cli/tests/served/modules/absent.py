"""Has a client for a service that does not run."""

import zerorpc

client = zerorpc.Client("tcp://127.0.0.1:9", timeout=None, heartbeat=None)


def hello():
    return "hello"
