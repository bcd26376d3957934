"""Mechanisms of sockets, and who may come in, by pyzmq alone."""

import tempfile

import zmq
import zmq.auth
import zmq.auth.thread

DOMAIN = "tests"


def secure(socket, wanted):
    """Sets what `wanted` says on a socket that is neither bound nor connected."""
    if wanted is None:
        return
    if wanted["mechanism"] == "PLAIN":
        if "passwords" in wanted:
            authenticate(socket).configure_plain(DOMAIN, wanted["passwords"])
            socket.setsockopt(zmq.PLAIN_SERVER, 1)
        else:
            socket.setsockopt(zmq.PLAIN_USERNAME, wanted["username"].encode())
            socket.setsockopt(zmq.PLAIN_PASSWORD, wanted["password"].encode())
        return
    socket.setsockopt(zmq.CURVE_PUBLICKEY, wanted["public"].encode())
    socket.setsockopt(zmq.CURVE_SECRETKEY, wanted["secret"].encode())
    if "server" in wanted:
        socket.setsockopt(zmq.CURVE_SERVERKEY, wanted["server"].encode())
        return
    if wanted["authorized"] is not None:
        with tempfile.TemporaryDirectory() as folder:
            for number, key in enumerate(wanted["authorized"]):
                with open("%s/%d.key" % (folder, number), "w") as certificate:
                    certificate.write('metadata\ncurve\n    public-key = "%s"\n' % key)
            authenticate(socket).configure_curve(DOMAIN, folder)
    socket.setsockopt(zmq.CURVE_SERVER, 1)


def authenticate(socket):
    """An authenticator of pyzmq for the context of a socket, which it is to be asked by."""
    # A context of gevent's stands on one of libzmq's, which a thread of the system needs.
    authenticator = zmq.auth.thread.ThreadAuthenticator(zmq.Context.shadow(socket.context.underlying))
    authenticator.start()
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN.encode())
    return authenticator
