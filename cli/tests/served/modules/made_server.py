"""A server that was made, but not run."""

import zerorpc


class Object(object):
    def hello(self, name):
        return "Hello, %s" % name


server = zerorpc.Server(Object(), heartbeat=3)
