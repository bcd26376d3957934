"""Starts its server whenever it is imported."""

import zerorpc


class Thing:
    def add(self, a, b):
        return a + b


server = zerorpc.Server(Thing())
server.bind("tcp://127.0.0.1:*")
server.run()
