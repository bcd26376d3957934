"""Tests of the frames; run by `python3 -m unittest` and from the tests of the crate."""

import os
import sys
import threading
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from bridge import wire  # noqa: E402


def frame(kind, call, body):
    return wire.HEAD.pack(len(body), call, kind) + body


class Loop(unittest.TestCase):
    """A wire whose output is its own input."""

    def setUp(self):
        self.input, self.output = os.pipe()
        pipe = open(self.input, "rb")
        self.addCleanup(pipe.close)
        self.wire = wire.Wire(pipe, self.output)

    def write_and_close(self, data):
        """From another thread, for a pipe holds only so much."""
        def run():
            with open(self.output, "wb") as pipe:
                for piece in data:
                    pipe.write(piece)
                    pipe.flush()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

    def received(self):
        frames = []
        for batch in iter(self.wire.receive, None):
            self.assertTrue(batch)
            frames += batch
        return frames

    def test_frames_in_pieces_of_any_size(self):
        frames = [(16, number, b"x" * number) for number in (0, 1, 5, 40)]
        data = b"".join(frame(*one) for one in frames)
        for size in range(1, len(data) + 1):
            with self.subTest(size=size):
                self.setUp()
                self.write_and_close([data[at:at + size] for at in range(0, len(data), size)])
                self.assertEqual(self.received(), frames)

    def test_large_frames_among_small_ones(self):
        sizes = (3, wire.CHUNK - 1, 0, wire.CHUNK + 1, 2, 5 * wire.CHUNK, 5 * wire.CHUNK, 1)
        frames = [(17, number, bytes([number]) * size) for number, size in enumerate(sizes)]
        self.write_and_close([b"".join(frame(*one) for one in frames)])
        self.assertEqual(self.received(), frames)

    def test_what_is_cut_off_is_no_frame(self):
        whole = frame(16, 1, b"abc")
        for end in range(len(whole)):
            with self.subTest(end=end):
                self.setUp()
                self.write_and_close([whole, whole[:end]])
                self.assertEqual(self.received(), [(16, 1, b"abc")])

    def test_a_reader_can_be_woken(self):
        self.wire.make_wakeable()
        self.assertFalse(self.wire.has_input())
        threading.Thread(target=self.wire.wake).start()
        self.assertEqual(self.wire.receive(), [])
        self.wire.wake()
        self.wire.send(wire.VALUE, 1, b"v")
        frames = self.wire.receive() or self.wire.receive()
        self.assertEqual(frames, [(wire.VALUE, 1, b"v")])

    def test_the_end_is_seen_before_it_is_read(self):
        self.wire.send(wire.VALUE, 1, b"v")
        self.assertFalse(self.wire.is_closed())
        os.close(self.output)
        self.assertTrue(self.wire.is_closed())
        self.assertTrue(self.wire.has_input())
        self.assertEqual(self.received(), [(wire.VALUE, 1, b"v")])

    def test_threads_keep_their_order(self):
        sizes = (1, 100, wire.JOINED, 3 * wire.JOINED)

        def run(call):
            for number in range(60):
                body = number.to_bytes(2, "big") * sizes[number % len(sizes)]
                self.wire.send(wire.ITEM, call, body)
            self.wire.send(wire.DONE, call)

        threads = [threading.Thread(target=run, args=(call,)) for call in range(8)]
        for thread in threads:
            thread.start()
        following, ended = [0] * 8, 0
        while ended < 8:
            for kind, call, body in self.wire.receive():
                if kind == wire.DONE:
                    self.assertEqual(following[call], 60)
                    ended += 1
                    continue
                number = following[call]
                self.assertEqual(body, number.to_bytes(2, "big") * sizes[number % len(sizes)])
                following[call] += 1
        for thread in threads:
            thread.join()
        os.close(self.output)

    def test_what_is_left_in_the_midst_of_sending_follows(self):
        self.wire.leave(40, 1)
        self.assertEqual(self.wire.receive(), [(40, 1, b"")])
        # As a destructor does that runs while this thread sends.
        with self.wire._sending:
            self.wire.leave(40, 2)
        self.wire.send(41, 3, b"x")
        frames = []
        while len(frames) < 2:
            frames += self.wire.receive()
        self.assertEqual(frames, [(41, 3, b"x"), (40, 2, b"")])


if __name__ == "__main__":
    unittest.main()
