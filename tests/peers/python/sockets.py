"""Sockets of pyzmq alone, of which the test asks how their handshakes end: see harness.py for how it is driven."""

import json
import sys

import zmq
import zmq.utils.monitor

import harness
from secure import secure

OUTCOMES = {
    zmq.EVENT_HANDSHAKE_SUCCEEDED: "SUCCEEDED",
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "FAILED_NO_DETAIL",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "FAILED_PROTOCOL",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "FAILED_AUTH",
}


class Watched:
    def __init__(self, wanted):
        # Each has a context of its own, for there is one authenticator for a context.
        context = zmq.Context()
        self.socket = context.socket(getattr(zmq, wanted["kind"]))
        self.socket.linger = 0
        secure(self.socket, wanted["security"])
        self.monitor = self.socket.get_monitor_socket()
        if wanted["connect"]:
            self.endpoint = wanted["connect"]
            self.socket.connect(self.endpoint)
        else:
            self.socket.bind("tcp://127.0.0.1:*")
            self.endpoint = self.socket.last_endpoint.rstrip(b"\0").decode()

    def outcome(self):
        while True:
            event = zmq.utils.monitor.recv_monitor_message(self.monitor)["event"]
            if event in OUTCOMES:
                return OUTCOMES[event]


def main():
    watched = [Watched(wanted) for wanted in harness.options()["sockets"]]
    harness.ready([one.endpoint for one in watched])
    for line in sys.stdin:
        request = json.loads(line)
        outcome = watched[request["socket"]].outcome()
        harness.say(json.dumps({"id": request["id"], "ok": outcome}))
    harness.leave()


if __name__ == "__main__":
    main()
