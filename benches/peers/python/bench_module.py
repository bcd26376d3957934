"""What a server of a Python module is measured with: ours and zerorpc-python's serve the same file."""

import zerorpc


def echo(v):
    return v


@zerorpc.stream
def numbers(n):
    return iter(range(n))
