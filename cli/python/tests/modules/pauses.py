"""A stream that takes its time for the last item of each window."""

import os
import time


# So many have been granted together, while the window opens.
FIRST = (1, 3, 6, 12, 24, 48, 96)


def items(count):
    for number in range(count):
        if number + 1 in FIRST or number % 32 == 31:
            time.sleep(0.002)
        yield number


def process():
    return os.getpid()
