"""Fails."""


def fail():
    raise ValueError("two\nlines")


fail()
