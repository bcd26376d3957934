"""Configures its own logging."""

import logging
import sys

logging.basicConfig(level=logging.DEBUG, format="MINE %(levelname)s %(message)s", stream=sys.stdout)


def note(text):
    logging.debug(text)
    print("printed", text)
    return text
