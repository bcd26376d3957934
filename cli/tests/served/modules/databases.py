"""Databases in memory, made while importing, as their thread's."""

import sqlite3

db = sqlite3.connect(":memory:")
db.execute("create table t (n integer)")


def add(n):
    db.execute("insert into t values (?)", (n,))
    db.commit()


def total():
    return db.execute("select sum(n) from t").fetchone()[0]


def rows():
    for row in db.execute("select n from t order by n"):
        yield row


async def count_later():
    return db.execute("select count(*) from t").fetchone()[0]


async def rows_later():
    for row in db.execute("select n from t order by n"):
        yield row


class Store:
    """The same, made with the object."""

    def __init__(self):
        self.db = sqlite3.connect(":memory:")
        self.db.execute("create table t (n integer)")

    def add(self, n):
        with self.db:
            self.db.execute("insert into t values (?)", (n,))

    def total(self):
        return self.db.execute("select sum(n) from t").fetchone()[0]

    def rows(self):
        yield from self.db.execute("select n from t order by n")


class Lazy:
    """The same, made by the first call, and kept."""

    db = None

    def total(self):
        if Lazy.db is None:
            Lazy.db = sqlite3.connect(":memory:")
            Lazy.db.execute("create table t (n integer)")
        return self.db.execute("select sum(n) from t").fetchone()[0]
