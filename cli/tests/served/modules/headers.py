"""Header keys of requests, read, and passed on."""

import os

import zerorpc

client = zerorpc.Client(os.environ["BACKEND"]) if os.environ.get("BACKEND") else None


def trace():
    return zerorpc.current_header().get("trace_id")


async def trace_later():
    return zerorpc.current_header().get("trace_id")


def peer():
    return dict(zerorpc.current_peer()._asdict())


async def peer_later():
    return peer()


def peers():
    yield peer()


# Outside of requests.
NOBODY = zerorpc.current_peer()


def nobody():
    return [bool(NOBODY), NOBODY.name, NOBODY.remote]


def traces():
    yield zerorpc.current_header().get("trace_id")


def trace_at_backend():
    return client.trace()
