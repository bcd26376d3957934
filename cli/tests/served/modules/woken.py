"""What threads give to an event loop that has nothing else to do."""

import asyncio
import threading
import time

seen = []


async def ask_later():
    """A thread asks the loop for something, when the call is over."""
    loop = asyncio.get_running_loop()

    async def answer():
        return "answered"

    def ask():
        time.sleep(0.3)
        seen.append(asyncio.run_coroutine_threadsafe(answer(), loop).result(30))

    threading.Thread(target=ask, daemon=True).start()


def call_back_later():
    """The same from a plain method."""
    future = asyncio.get_event_loop().run_in_executor(None, time.sleep, 0.3)
    future.add_done_callback(lambda _: seen.append("called back"))


def nothing():
    """Comes in between."""


def take_over():
    """A loop of the module's own, from now on."""
    global own
    own = asyncio.new_event_loop()
    asyncio.set_event_loop(own)


def is_own():
    return asyncio.get_event_loop() is own


async def runs_on_own():
    return asyncio.get_running_loop() is own


def stamp(path):
    """Writes what was seen as soon as something was, so that nobody has to call."""
    def look():
        while not seen:
            time.sleep(0.01)
        with open(path, "w") as file:
            file.write(seen[0])

    threading.Thread(target=look, daemon=True).start()
