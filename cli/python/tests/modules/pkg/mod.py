"""In a package."""


class Service:
    def here(self):
        return __name__


def function():
    return "function"
