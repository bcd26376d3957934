"""Tests of the keeper; run by `python3 -m unittest` and from the tests of the crate."""

import os
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bridge import keeper  # noqa: E402


class Pipes:
    """Knows whether something waits, and when it was written."""

    def __init__(self):
        self.left = False
        self.flushed = threading.Event()

    def waits(self):
        return self.left

    def flush(self):
        if self.left:
            self.left = False
            self.flushed.set()


class Keeping(unittest.TestCase):
    def setUp(self):
        self.pipes = Pipes()
        self.replaced = threading.Event()
        self.refusals = 0
        self.keeper = keeper.Keeper(self.pipes, self.replace)

    def replace(self):
        if self.refusals:
            self.refusals -= 1
            raise RuntimeError("can't start new thread")
        self.replaced.set()

    def fall_asleep(self):
        began = time.monotonic()
        while not self.keeper._asleep:
            self.assertLess(time.monotonic() - began, 60)
            time.sleep(0.001)

    def test_quick_calls_keep_the_lead(self):
        pace = keeper.Pace()
        self.fall_asleep()
        for _ in range(keeper.FAMILIAR):
            self.assertFalse(pace.is_familiar())
            self.keeper.enter(pace)
            self.keeper.leave(1e-6)
        # A busy machine may have made one of them last.
        self.assertTrue(pace.is_familiar() or self.replaced.is_set())

    def test_a_call_that_lasts_loses_it(self):
        for refusals in (0, 3):
            pace = keeper.Pace()
            self.refusals = refusals
            self.replaced.clear()
            self.fall_asleep()
            self.assertTrue(pace.is_quick())
            self.keeper.enter(pace)
            self.assertTrue(self.replaced.wait(60))
            self.assertFalse(self.keeper.leave(1.0))
            while not pace._cautious:
                time.sleep(0.001)
            self.assertFalse(pace.is_quick())

    def test_what_is_left_gets_written(self):
        for _ in range(3):
            self.fall_asleep()
            self.pipes.flushed.clear()
            self.pipes.left = True
            self.keeper.rouse()
            self.assertTrue(self.pipes.flushed.wait(60))


class Paces(unittest.TestCase):
    def cautious_calls(self, pace):
        count = 0
        while not pace.is_quick():
            count += 1
        return count

    def test_caution_grows_and_is_forgotten(self):
        pace = keeper.Pace()
        counts = []
        for _ in range(8):
            pace.lasted()
            counts.append(self.cautious_calls(pace))
        self.assertEqual(counts, [8, 32, 128, 512, 2048, 4096, 4096, 4096])
        for _ in range(keeper.FORGIVEN):
            pace.took(1e-6)
        pace.lasted()
        self.assertEqual(self.cautious_calls(pace), 8)

    def test_methods_that_usually_take_longer_are_not_quick(self):
        for seconds, calls in [(150e-6, 18), (300e-6, 7), (1e-3, 2), (60.0, 2)]:
            pace = keeper.Pace()
            for call in range(calls):
                self.assertTrue(pace.is_quick(), (seconds, call))
                pace.took(seconds)
            self.assertEqual(self.cautious_calls(pace), 8, seconds)

    def test_a_single_long_time_is_not_held_against_it(self):
        pace = keeper.Pace()
        for _ in range(20):
            pace.took(5.0)
            for _ in range(50):
                pace.took(5e-6)
                self.assertTrue(pace.is_quick())


if __name__ == "__main__":
    unittest.main()
