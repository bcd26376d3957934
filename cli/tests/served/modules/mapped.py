"""Databases in memory behind SQLAlchemy and peewee."""

import peewee
import sqlalchemy

engine = sqlalchemy.create_engine("sqlite://")
metadata = sqlalchemy.MetaData()
table = sqlalchemy.Table("t", metadata, sqlalchemy.Column("n", sqlalchemy.Integer))
metadata.create_all(engine)

database = peewee.SqliteDatabase(":memory:")


class Entry(peewee.Model):
    n = peewee.IntegerField()

    class Meta:
        database = database


database.connect()
database.create_tables([Entry])


def add(n):
    with engine.begin() as connection:
        connection.execute(table.insert().values(n=n))
    Entry.create(n=n)


def totals():
    with engine.connect() as connection:
        alchemy = connection.execute(sqlalchemy.select(sqlalchemy.func.sum(table.c.n))).scalar()
    return [alchemy, sum(entry.n for entry in Entry.select())]


def entries():
    for entry in Entry.select():
        yield entry.n
