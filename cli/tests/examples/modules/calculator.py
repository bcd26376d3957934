"""What the example `calculator` serves, in Python."""


def add(a, b):
    return a + b


def divide(a, b):
    return a / b
