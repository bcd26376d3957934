import zerorpc


class Object(object):
    def hello(self, name):
        return "Hello, %s" % name


s = zerorpc.Server(Object())
s.bind("tcp://127.0.0.1:*")
s.run()
