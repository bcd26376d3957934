"""Children that import this module again."""

import multiprocessing as mp

import zerorpc


@zerorpc.stream
def squares(n):
    return [square(number) for number in range(n)]


def square(number):
    return number * number


def pooled(method, n):
    with mp.get_context(method).Pool(2) as pool:
        return pool.map(square, range(n))
