"""Takes its time."""

import time


def sleep(seconds):
    time.sleep(seconds)
    return seconds


def slow_numbers(n, seconds):
    for number in range(n):
        time.sleep(seconds)
        yield number
