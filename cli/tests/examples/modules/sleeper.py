"""What the example `tokio_client` calls, in Python."""
import time


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def count(to):
    yield from range(to)
