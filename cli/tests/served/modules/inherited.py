"""Services as the package's examples write them."""

import zerorpc
from zerorpc import decorators, exceptions
import zerorpc.exceptions
import zerorpc.decorators


class Echo(zerorpc.Server):
    """Inherits from the server."""

    def echo(self, value):
        return value

    @zerorpc.stream
    def count(self, n):
        return range(n)

    @decorators.stream
    def count_too(self, n):
        return range(n)

    @zerorpc.rep
    def once(self, n):
        return list(range(n))


class Named(zerorpc.Server):
    def __init__(self):
        super(Named, self).__init__(name="named", pool_size=4, heartbeat=3)
        self.greeting = "hello"

    def greet(self):
        return self.greeting


class Object(object):
    def hello(self, name):
        return "Hello, %s" % name

    def raises(self):
        raise exceptions.RemoteError("Far", "away", None)


class Other(zerorpc.exceptions.RemoteError):
    pass


if __name__ == "__main__":
    server = zerorpc.Server(Object())
    server.bind("tcp://127.0.0.1:4242")
    server.run()


def is_main():
    return __name__ == "__main__"
