#!/usr/bin/env python3
"""thin.py TARGET...: of each corpus, keeps what may be committed, 200 files and 200 KiB at most: small ones and large ones."""

import pathlib
import sys

FILES, BYTES, LARGEST = 200, 200 << 10, 64 << 10

for target in sys.argv[1:]:
    folder = pathlib.Path(__file__).parent / "corpus" / target
    files = sorted(folder.iterdir(), key=lambda file: (file.stat().st_size, file.name))
    # What was found once stays.
    kept = [file for file in files if file.name.startswith("found-")]
    others = [file for file in files if file not in kept and file.stat().st_size <= LARGEST]
    room = FILES - len(kept)
    if len(others) > room:
        others = [others[place * len(others) // room] for place in range(room)]
    while sum(file.stat().st_size for file in kept + others) > BYTES:
        others.pop()
    for file in set(files) - set(kept + others):
        file.unlink()
