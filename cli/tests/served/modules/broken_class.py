class Broken:
    def __init__(self):
        self.connect()

    def connect(self):
        raise ConnectionError("nobody is there")
