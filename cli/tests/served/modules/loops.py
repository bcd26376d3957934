"""asyncio in plain methods, as programs that began without it have it."""

import asyncio

loop = asyncio.new_event_loop()
queue = None
loop_of_methods = None


async def work(value):
    await asyncio.sleep(0.001)
    return value


def on_own_loop(value):
    return loop.run_until_complete(work(value))


def on_current_loop(value):
    return asyncio.get_event_loop().run_until_complete(work(value))


def run(value):
    return asyncio.run(work(value))


def items_of_current_loop(n):
    for value in range(n):
        yield asyncio.get_event_loop().run_until_complete(work(value))


def spawn():
    """A task that goes on when nothing else runs."""
    global queue
    queue = []

    async def fill():
        for number in range(3):
            await asyncio.sleep(0.001)
            queue.append(number)

    asyncio.get_event_loop().create_task(fill())


def filled():
    return queue


async def method(value):
    global loop_of_methods
    loop_of_methods = asyncio.get_running_loop()
    return await work(value)


def is_same_loop():
    return asyncio.get_event_loop() is loop_of_methods


async def chain(value):
    return await asyncio.get_running_loop().run_in_executor(None, int, value)


async def pair(value):
    first, second = await asyncio.gather(work(value), work(value + 1))
    return [first, second]


async def shielded(value):
    return await asyncio.wait_for(asyncio.shield(work(value)), 30)


class Kept:
    """Keeps what it gets from `get_event_loop()` when it is made."""

    def __init__(self):
        try:
            self.loop = asyncio.get_event_loop()
        except RuntimeError:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)

    def ask(self, value):
        return self.loop.run_until_complete(work(value))

    async def ask_later(self, value):
        return await work(value)
