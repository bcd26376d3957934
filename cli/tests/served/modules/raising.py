"""Methods that fail, and modules that log."""

import logging

log = logging.getLogger("shop.orders")


def fail(text):
    raise ValueError(text)


async def fail_later(text):
    raise ValueError(text)


def fail_streaming(text):
    yield 1
    raise ValueError(text)


def chained():
    try:
        {}["missing"]
    except KeyError as error:
        raise RuntimeError("outer") from error


def warn(text):
    log.warning("attention: %s", text)


def inform(text):
    log.info("by the way: %s", text)


def two(first, second=2):
    return [first, second]


def keyword_only(a, *args, b, c=3, **more):
    return [a, b, c]


def only_b(*, b):
    return b


def everything(*a, **k):
    """Takes everything."""
    return list(a)


def positions(a, b=1, *, c=2, **rest):
    return [a, b, c]


def annotated(a: int, *rest: str, flag: bool = False) -> str:
    return str(a)
