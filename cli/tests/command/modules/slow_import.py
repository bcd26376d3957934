"""Takes its time."""

import os
import sys
import time

print("importing in", os.getpid(), file=sys.stderr, flush=True)
time.sleep(60)
