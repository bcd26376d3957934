"""What is to be done at the end, is done."""

import atexit
import multiprocessing as mp
import os
import tempfile
import time

PLACE = os.environ["PLACE"]


def write(name):
    with open(os.path.join(PLACE, name), "w") as file:
        file.write("done")


@atexit.register
def at_exit():
    time.sleep(0.05)
    write("at_exit")


scratch = tempfile.TemporaryDirectory(dir=PLACE, prefix="scratch-")
helper = mp.get_context("fork").Process(target=time.sleep, args=(1000,), daemon=True)
helper.start()


class Closing:
    def __del__(self):
        write("deleted")


def stream():
    try:
        while True:
            yield "item"
            time.sleep(0.001)
    finally:
        time.sleep(0.02)
        write("finally")


async def stream_later():
    import asyncio

    try:
        while True:
            yield "item"
            await asyncio.sleep(0.001)
    finally:
        await asyncio.sleep(0.02)
        write("finally_later")


async def wait():
    import asyncio

    try:
        write("waiting")
        await asyncio.sleep(1000)
    finally:
        write("cancelled")


def helper_pid():
    return helper.pid
