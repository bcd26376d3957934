"""A zerorpc-python server for the tests, see harness.py for how it is driven."""

import logging

import zerorpc

import harness
from service import Observer, Service


def main():
    logging.basicConfig(level=logging.ERROR)
    wanted = harness.options()
    observer = Observer()
    zerorpc.Context.get_instance().register_middleware(observer)
    server = zerorpc.Server(
        Service(observer),
        heartbeat=wanted["heartbeat"],
        pool_size=wanted["pool_size"],
    )
    harness.serve(server, wanted)


if __name__ == "__main__":
    main()
