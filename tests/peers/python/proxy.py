"""A queue between callers and servers, as libzmq has it: a ROUTER for the callers, a DEALER behind it.

Driven as harness.py says: the first endpoint to bind is for callers; the other links are for servers.
"""

import threading

import zmq

import harness


def main():
    wanted = harness.options()
    front, *back = wanted["bind"]
    context = zmq.Context()
    callers, servers = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    bound = [bind(callers, front), *(bind(servers, endpoint) for endpoint in back)]
    for endpoint in wanted["connect"]:
        servers.connect(endpoint)
    threading.Thread(target=zmq.proxy, args=(callers, servers), daemon=True).start()
    harness.ready(bound)
    for _ in harness.lines():
        pass
    harness.leave()


def bind(socket, endpoint):
    socket.bind(endpoint)
    return socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()


if __name__ == "__main__":
    main()
