"""A server of zerorpc-python with the service of the contract: server.py ENDPOINT HEARTBEAT [--worker] [--pull ENDPOINT] [--sub ENDPOINT] [bind=ENDPOINT] [connect=ENDPOINT]"""

import logging
import sys

import gevent
import zerorpc

import service


def main():
    logging.basicConfig(level=logging.ERROR)
    server = zerorpc.Server(service, heartbeat=float(sys.argv[2]))
    link = server.connect if "--worker" in sys.argv else server.bind
    link(sys.argv[1])
    for word in sys.argv[3:]:
        kind, _, endpoint = word.partition("=")
        if kind in ("bind", "connect"):
            getattr(server, kind)(endpoint)
    for option, kind in (("--pull", zerorpc.Puller), ("--sub", zerorpc.Subscriber)):
        if option in sys.argv:
            socket = kind(service)
            socket.bind(sys.argv[sys.argv.index(option) + 1])
            gevent.spawn(socket.run)
    server.run()


if __name__ == "__main__":
    main()
