"""In a package without `__init__.py`."""


def where():
    return __name__
