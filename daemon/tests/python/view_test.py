"""`larderctl view` as people run it: in a terminal, and into a pipe."""

import os
import pty
import select
import signal
import subprocess
import termios
import time
import unittest

from hub import LARDERCTL, Hub

ANSWER_SECONDS = 20
HALF_BLOCK = "▀".encode()
OPENED, CLOSED = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A terminal with `larderctl view` in it."""

    def __init__(self, hub, *words):
        self.ours, theirs = pty.openpty()
        termios.tcsetwinsize(self.ours, (24, 100))
        self.before = termios.tcgetattr(theirs)
        self.theirs = theirs
        command = [LARDERCTL, "--state", hub.state, "view", "fridge", "--graphics", "blocks", *words]
        environment = {**os.environ, "TERM": "xterm-256color"}
        self.child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        self.seen = b""

    def until(self, wanted):
        end = time.monotonic() + ANSWER_SECONDS
        while wanted not in self.seen:
            ready, _, _ = select.select([self.ours], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no {wanted!r} in {self.seen[-500:]!r}")
            self.seen += os.read(self.ours, 65536)

    def drain(self):
        while select.select([self.ours], [], [], 0)[0]:
            self.seen += os.read(self.ours, 65536)

    def type(self, text):
        os.write(self.ours, text.encode())

    def ended(self):
        self.until(CLOSED)
        code = self.child.wait(timeout=ANSWER_SECONDS)
        self.drain()
        after = termios.tcgetattr(self.theirs)
        os.close(self.ours)
        os.close(self.theirs)
        return code, after == self.before


class ViewTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.addClassCleanup(cls.hub.stop)
        camera = cls.hub.camera("fridge")
        cls.addClassCleanup(camera.wait, 20)
        cls.addClassCleanup(camera.terminate)

    def test_the_terminal_shows_the_picture_and_is_given_back_on_every_end(self):
        ends = {
            "q": lambda terminal: terminal.type("q"),
            "Ctrl-C": lambda terminal: terminal.type("\x03"),
            "SIGTERM": lambda terminal: terminal.child.send_signal(signal.SIGTERM),
        }
        for name, end in ends.items():
            with self.subTest(end=name):
                terminal = Terminal(self.hub)
                terminal.until(OPENED)
                terminal.until(HALF_BLOCK)
                terminal.until(b" fps")
                end(terminal)
                self.assertEqual(terminal.ended(), (0, True))

    def test_keys_change_what_is_asked_for(self):
        terminal = Terminal(self.hub)
        terminal.until(HALF_BLOCK)
        # From no limit through 25, 20, 15, 10 and 8 pictures a second to 5.
        terminal.type("------")
        end = time.monotonic() + ANSWER_SECONDS
        while [viewer["limits"] and viewer["limits"]["fps"] for viewer in self.hub.ctl("viewer", "list")] != [5.0]:
            self.assertLess(time.monotonic(), end, "the hub heard nothing of the keys")
            terminal.drain()
        terminal.type("q")
        self.assertEqual(terminal.ended(), (0, True))

    def test_a_refusal_gives_the_terminal_back_and_says_why(self):
        terminal = Terminal(self.hub)
        terminal.until(HALF_BLOCK)
        for viewer in self.hub.ctl("viewer", "list"):
            self.hub.do("viewer", "disconnect", viewer["id"])
        self.assertEqual(terminal.ended(), (1, True))
        self.assertIn(b"an admin of the hub ended this view", terminal.seen[-200:])

    def test_a_pipe_gets_pictures_that_ffmpeg_reads_and_may_close_at_any_time(self):
        words = [LARDERCTL, "--state", self.hub.state, "view", "fridge", "--output", "-"]
        view = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        probe = ["ffmpeg", "-v", "error", "-f", "mjpeg", "-i", "-", "-frames:v", "5", "-f", "framecrc", "-"]
        seen = subprocess.run(probe, stdin=view.stdout, capture_output=True, text=True, timeout=ANSWER_SECONDS)
        self.assertEqual((seen.returncode, seen.stderr), (0, ""))
        self.assertEqual(len([line for line in seen.stdout.splitlines() if not line.startswith("#")]), 5)
        view.stdout.close()
        self.assertEqual(view.wait(timeout=ANSWER_SECONDS), 0, view.stderr.read())
        view.stderr.close()


if __name__ == "__main__":
    unittest.main()
