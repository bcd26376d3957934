"""What the example `many_servers` calls, in Python."""


def who():
    return "a snake"
