#!/usr/bin/env python3
"""Records CURVE conversations between two sockets of libzmq, as `curve.json`.

    python record_curve.py > curve.json

Needs pyzmq, whose wheels bring a libzmq with libsodium of its own. Each side runs in a process of its own, in which libsodium
draws its random bytes from a fixed seed, so that all keys are known, the short-term ones as well. A proxy between
them writes down what goes by.

Of each conversation the file has:

- `keys`: both long-term key pairs.
- `random`: what each side drew, in order. A client draws the secret half of its short-term key (32 bytes) and the nonce of
  the vouch (16); a server its short-term secret (32), the nonce of the cookie (16), the key of the cookie (32) and the
  nonce of WELCOME (16).
- `wire`: greetings and frames, with their headers, in the order in which they came by.
- `messages`: what the applications have sent and received.
"""

import ctypes
import glob
import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time

import zmq
from zmq.utils import z85

PATIENCE = 20


# --- one side -------------------------------------------------------------------------------------------------------


class Seeded(ctypes.Structure):
    """`randombytes_implementation` of libsodium, with the hash of a seed and a counter for its bytes."""

    NAME = ctypes.CFUNCTYPE(ctypes.c_char_p)
    RANDOM = ctypes.CFUNCTYPE(ctypes.c_uint32)
    STIR = ctypes.CFUNCTYPE(None)
    UNIFORM = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32)
    BUF = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)
    CLOSE = ctypes.CFUNCTYPE(ctypes.c_int)
    _fields_ = [
        ("name", NAME),
        ("random", RANDOM),
        ("stir", STIR),
        ("uniform", UNIFORM),
        ("buf", BUF),
        ("close", CLOSE),
    ]

    def __init__(self, seed):
        self.drawn = []

        def draw(size):
            block = hashlib.shake_256(f"{seed} {len(self.drawn)}".encode()).digest(size)
            self.drawn.append(block.hex())
            return block

        super().__init__(
            self.NAME(lambda: b"seeded"),
            self.RANDOM(lambda: int.from_bytes(draw(4), "little")),
            self.STIR(lambda: None),
            self.UNIFORM(lambda bound: int.from_bytes(draw(4), "little") % bound),
            self.BUF(lambda to, size: ctypes.memmove(to, draw(size), size)),
            self.CLOSE(lambda: 0),
        )

    def install(self):
        folder = os.path.join(os.path.dirname(os.path.dirname(zmq.__file__)), "pyzmq.libs")
        sodium = ctypes.CDLL(glob.glob(os.path.join(folder, "libsodium*"))[0])
        assert sodium.randombytes_set_implementation(ctypes.byref(self)) == 0


def side(plan):
    seeded = Seeded(plan["seed"])
    seeded.install()
    context = zmq.Context()
    if "zap" in plan:
        threading.Thread(target=zap, args=(context, plan["zap"].encode()), daemon=True).start()
        time.sleep(0.2)
    own = context.socket(getattr(zmq, plan["socket"]))
    own.linger = 0
    own.rcvtimeo = own.sndtimeo = PATIENCE * 1000
    own.curve_publickey = z85.encode(bytes.fromhex(plan["keys"]["public"]))
    own.curve_secretkey = z85.encode(bytes.fromhex(plan["keys"]["secret"]))
    if "server_key" in plan:
        own.curve_serverkey = z85.encode(bytes.fromhex(plan["server_key"]))
    else:
        own.curve_server = 1
    if "zap" in plan:
        own.zap_domain = b"record"
    for name, value in plan.get("options", {}).items():
        if isinstance(value, str):
            value = value.encode()
        own.setsockopt(getattr(zmq, name), value)
    if "connect" in plan:
        own.connect(plan["connect"])
        print(json.dumps("connected"), flush=True)
    else:
        own.bind("tcp://127.0.0.1:*")
        print(json.dumps(own.last_endpoint.decode().rstrip("\0")), flush=True)
    routing_id = []
    for line in sys.stdin:
        command, argument = json.loads(line)
        answer = None
        if command == "send":
            own.send_multipart(routing_id + [bytes.fromhex(frame) for frame in argument])
        elif command == "receive":
            frames = own.recv_multipart()
            if plan["socket"] == "ROUTER":
                routing_id, frames = frames[:1], frames[1:]
            answer = [frame.hex() for frame in frames]
        elif command == "set":
            own.setsockopt(getattr(zmq, argument[0]), argument[1].encode())
            # A socket takes note of new connections only when it is asked for something.
            own.poll(200)
        elif command == "drawn":
            # The first is libsodium's own, as it starts.
            answer = seeded.drawn[1:]
        print(json.dumps(answer), flush=True)
    os._exit(0)


def zap(context, status):
    """Answers everybody with one status (27/ZAP)."""
    handler = context.socket(zmq.REP)
    handler.bind("inproc://zeromq.zap.01")
    while True:
        request = handler.recv_multipart()
        handler.send_multipart([b"1.0", request[1], status, b"text", b"ada" if status == b"200" else b"", b""])


class Side:
    def __init__(self, plan):
        self.process = subprocess.Popen(
            [sys.executable, __file__, "side", json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.endpoint = self.answer()

    def answer(self):
        return json.loads(self.process.stdout.readline())

    def do(self, command, argument=None):
        self.process.stdin.write(json.dumps([command, argument]) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# --- between them ---------------------------------------------------------------------------------------------------


class Proxy:
    """Passes one connection on to `port` and cuts what goes by into greetings and frames."""

    def __init__(self, port, connecting, bound):
        self.wire = []
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.run, args=(port, connecting, bound), daemon=True).start()

    def run(self, port, connecting, bound):
        near, _ = self.listener.accept()
        self.listener.close()
        far = socket.create_connection(("127.0.0.1", port))
        for stream in (near, far):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=self.copy, args=(far, near, bound), daemon=True).start()
        self.copy(near, far, connecting)

    def copy(self, source, sink, name):
        pending, greeted = b"", False
        while True:
            try:
                read = source.recv(1 << 16)
            except ConnectionResetError:
                read = b""
            if not read:
                break
            # Written down before it is passed on: an answer cannot come before its question.
            pending += read
            while (size := unit(pending, greeted)) and size <= len(pending):
                self.wire.append({"from": name, "bytes": pending[:size].hex()})
                pending, greeted = pending[size:], True
            try:
                sink.sendall(read)
            except OSError:
                break
        if pending:
            self.wire.append({"from": name, "bytes": pending.hex()})
        self.wire.append({"from": name, "closed": True})
        self.ended.set()
        for stream in (source, sink):
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def count(self, name):
        return sum(1 for entry in self.wire if entry["from"] == name)


def unit(pending, greeted):
    """The size of the greeting or frame that begins here, when that can be told."""
    if not greeted:
        return 64
    if len(pending) < 2:
        return None
    if pending[0] & 2 == 0:
        return 2 + pending[1]
    return 9 + int.from_bytes(pending[1:9], "big") if len(pending) >= 9 else None


def wait(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


# --- conversations --------------------------------------------------------------------------------------------------

BODIES = [
    [b"one frame"],
    [b"", b"a delimiter and a body"],
    [b"three", b"", b"frames"],
    [b""],
    [bytes(range(256)) + b"longer than a short frame takes"],
    [b"as large as a batch of libzmq" * 300],
]


def key_pair(name):
    secret = hashlib.sha256(b"long-term " + name.encode()).digest()
    secret = bytes([secret[0] & 248]) + secret[1:31] + bytes([secret[31] & 127 | 64])
    public = zmq.curve_public(z85.encode(secret))
    return {"public": z85.decode(public).hex(), "secret": secret.hex()}


class Conversation:
    def __init__(self, name, client, server, server_binds=True, options=None, server_key=None, zap=None):
        options = options or {}
        self.keys = {side: key_pair(side) for side in ("client", "server")}
        self.messages = []
        plans = {
            "client": {"socket": client, "server_key": server_key or self.keys["server"]["public"]},
            "server": {"socket": server},
        }
        if zap:
            plans["server"]["zap"] = zap
        for side, plan in plans.items():
            plan.update(seed=f"{name} {side}", keys=self.keys[side], options=options.get(side, {}))
        self.told = {
            "name": name,
            "libzmq": zmq.zmq_version(),
            "sockets": {"client": client, "server": server},
            "bound": "server" if server_binds else "client",
            "keys": self.keys,
        }
        self.told.update({key: value for key, value in [("server_key", server_key), ("zap", zap)] if value})
        bound, connecting = ("server", "client") if server_binds else ("client", "server")
        self.sides = {bound: Side(plans[bound])}
        port = int(self.sides[bound].endpoint.rsplit(":", 1)[1])
        self.proxy = Proxy(port, connecting, bound)
        self.sides[connecting] = Side({**plans[connecting], "connect": self.proxy.endpoint})

    def pass_on(self, sender, frames):
        frames = [frame.hex() for frame in frames]
        receiver = "server" if sender == "client" else "client"
        self.sides[sender].do("send", frames)
        received = self.sides[receiver].do("receive")
        assert received == frames, (received, frames)
        self.messages.append({"from": sender, "frames": frames})

    def end(self):
        self.told["random"] = {side: process.do("drawn") for side, process in sorted(self.sides.items())}
        wire = list(self.proxy.wire)
        for process in self.sides.values():
            process.close()
        # Of a refused client only the first attempt: the proxy takes no second connection.
        return {**self.told, "wire": wire, "messages": self.messages}


def calls(name, server_binds, bodies):
    talk = Conversation(
        name,
        "DEALER",
        "ROUTER",
        server_binds,
        {"client": {"IDENTITY": "someone", "METADATA": "X-Greeting:hello"}},
    )
    for body in bodies:
        talk.pass_on("client", body)
        talk.pass_on("server", body)
    return talk.end()


def heartbeats():
    options = {"HEARTBEAT_IVL": 100, "HEARTBEAT_TTL": 5000, "HEARTBEAT_TIMEOUT": 20000}
    talk = Conversation("heartbeats", "DEALER", "ROUTER", options={"client": options, "server": options})
    talk.pass_on("client", [b"before"])
    seen = {side: talk.proxy.count(side) for side in ("client", "server")}
    wait(lambda: all(talk.proxy.count(side) >= seen[side] + 4 for side in seen), "no heartbeats")
    talk.pass_on("server", [b"after"])
    return talk.end()


def publish(name, server):
    client = "SUB" if server == "PUB" else "PUB"
    talk = Conversation(name, client, server)
    subscriber, publisher = ("client", "server") if client == "SUB" else ("server", "client")
    wait(lambda: talk.proxy.count("server") >= 3 and talk.proxy.count("client") >= 3, "no handshake")
    for topic in ("", "topic"):
        before = talk.proxy.count(subscriber)
        talk.sides[subscriber].do("set", ["SUBSCRIBE", topic])
        wait(lambda: talk.proxy.count(subscriber) > before, "no SUBSCRIBE")
    time.sleep(0.2)
    talk.pass_on(publisher, [b"topic", b"first"])
    before = talk.proxy.count(subscriber)
    talk.sides[subscriber].do("set", ["UNSUBSCRIBE", ""])
    wait(lambda: talk.proxy.count(subscriber) > before, "no CANCEL")
    talk.pass_on(publisher, [b"topic", b"second"])
    return talk.end()


def push():
    talk = Conversation("push", "PUSH", "PULL")
    for body in BODIES[:3]:
        talk.pass_on("client", body)
    return talk.end()


def admitted():
    talk = Conversation("zap-200", "DEALER", "ROUTER", zap="200")
    talk.pass_on("client", [b"in"])
    return talk.end()


def refused(name, **how):
    talk = Conversation(name, "DEALER", "ROUTER", **how)
    if how.get("zap") == "300":
        # The server says nothing, and hangs up at once or when the handshake has taken too long: a race within libzmq.
        wait(lambda: talk.proxy.count("client") >= 3, "no INITIATE")
    else:
        assert talk.proxy.ended.wait(PATIENCE), "nobody has hung up"
    return talk.end()


def record():
    conversations = [
        calls("calls", True, BODIES),
        calls("calls-server-connects", False, BODIES[:3]),
        heartbeats(),
        publish("publish", "PUB"),
        publish("publish-client-publishes", "SUB"),
        push(),
        admitted(),
        refused("wrong-server-key", server_key=key_pair("somebody else")["public"]),
        refused("zap-300", zap="300"),
        refused("zap-400", zap="400"),
        refused("zap-500", zap="500"),
    ]
    json.dump(conversations, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    side(json.loads(sys.argv[2])) if sys.argv[1:2] == ["side"] else record()
