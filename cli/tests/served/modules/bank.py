"""State that is checked first and changed then, without a lock."""

import contextvars
import decimal
import time

n = 0
balance = 100
lowest = 100
user = contextvars.ContextVar("user", default="anonymous")


def slow_inc():
    global n
    v = n
    sum(range(150000))
    n = v + 1


def counted():
    return n


def pay(x):
    global balance, lowest
    if balance >= x:
        time.sleep(0)
        balance -= x
        lowest = min(lowest, balance)


def left():
    return [balance, lowest]


def rough():
    decimal.getcontext().prec = 3
    return third()


def third():
    return str(decimal.Decimal(1) / 3)


def rough_thirds():
    """Its own precision, from item to item."""
    decimal.getcontext().prec = 4
    while True:
        yield third()


async def rough_later():
    decimal.getcontext().prec = 5
    return third()


def login(name):
    user.set(name)
    return user.get()


async def login_later(name):
    user.set(name)
    return user.get()


def session(name):
    """A stream keeps who it is, also while others come and go."""
    user.set(name)
    while True:
        yield user.get()


async def session_later(name):
    user.set(name)
    while True:
        yield user.get()


def whoami():
    return user.get()


async def whoami_later():
    return user.get()


def who_streams():
    yield user.get()
