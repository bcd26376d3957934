"""A context that was set while importing is every call's."""

import contextvars
import decimal

decimal.getcontext().prec = 6
tenant = contextvars.ContextVar("tenant")
tenant.set("acme")


def third():
    return str(decimal.Decimal(1) / 3)


async def third_later():
    return third()


def thirds():
    yield third()


def change():
    decimal.getcontext().prec = 2
    tenant.set("other")
    return [third(), tenant.get()]


def whose():
    return tenant.get()
