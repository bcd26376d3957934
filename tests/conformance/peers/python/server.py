"""A server of zerorpc-python with the service of the contract: server.py ENDPOINT HEARTBEAT [--worker]"""

import logging
import sys

import zerorpc

import service


def main():
    logging.basicConfig(level=logging.ERROR)
    server = zerorpc.Server(service, heartbeat=float(sys.argv[2]))
    link = server.connect if "--worker" in sys.argv else server.bind
    link(sys.argv[1])
    server.run()


if __name__ == "__main__":
    main()
