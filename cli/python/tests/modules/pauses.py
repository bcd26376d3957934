"""A stream that takes its time for the last item of each window."""

import os
import time


def items(count):
    for number in range(count):
        if number % 64 == 63:
            time.sleep(0.002)
        yield number


def process():
    return os.getpid()
