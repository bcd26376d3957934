#!/usr/bin/env python3
"""A script that is a module too."""

import sys


def name():
    return __name__


def path():
    return sys.path[0]


def argv():
    return sys.argv


if __name__ == "__main__":
    sys.exit("it was run, not served")
