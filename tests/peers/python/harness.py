"""What the peer programs share: their options, their links, and how they talk to the test.

A program gets its options as one JSON argument, prints `ready {"endpoints": [...]}` once its links
are made, and ends when its standard input does, so that no test can leave it behind.
"""

import json
import os
import sys

import gevent
import gevent.fileobject
import zmq

from secure import secure


def options():
    return json.loads(sys.argv[1])


def link(peer, wanted):
    """Makes the binds and connects of `wanted`; returns the endpoints really bound."""
    secure(peer._events._socket, wanted.get("security"))
    bound = []
    for endpoint in wanted["bind"]:
        peer.bind(endpoint)
        bound.append(peer._events._socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode())
    for endpoint in wanted["connect"]:
        peer.connect(endpoint)
    return bound


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ready(endpoints):
    say("ready " + json.dumps({"endpoints": endpoints}))


def lines():
    """The lines of standard input, read without holding up the other greenlets."""
    return gevent.fileobject.FileObject(sys.stdin.fileno(), "rb", closefd=False)


def serve(server, wanted):
    """Serves at the links of `wanted` until standard input ends."""
    endpoints = link(server, wanted)
    gevent.spawn(server.run)
    ready(endpoints)
    for _ in lines():
        pass
    leave()


def leave():
    """Ends the process without waiting for peers that will never answer."""
    sys.stdout.flush()
    os._exit(0)
