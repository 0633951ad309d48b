"""The transport and the host's camera on lwIP, the board's network stack.

TRANSPORT: the tests of the transport, a program of their own. FRIDGECAM: fridgecam-lwip, which carries lwIP's side of a
port to the hub's on this machine (lwip/relay.cpp); here that is a hub in Python. Ends with the line
`lwip: N passed, N failed`.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import queue
import re
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import hub as fake
import lines
from lines import ANSWER_SECONDS

TRANSPORT = os.environ["TRANSPORT"]
FRIDGECAM = os.environ["FRIDGECAM"]
FRAMES = 1000
# Tests wait more than they work.
AT_ONCE = 6


class Camera(lines.Lines):
    """fridgecam-lwip, the lines that it prints, and the line that its packets take."""

    def __init__(self, hub, *words, ports=()):
        super().__init__()
        self.own = os.urandom(16)
        line = f"larder hub=127.0.0.1:{hub.port} camera={self.own.hex()} key={hub.key.hex()}"
        relayed = " ".join(str(port) for port in (hub.port, *ports))
        self.process = subprocess.Popen([FRIDGECAM, "--line", line, *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=os.environ | {"RELAY_PORTS": relayed})
        self.sent = queue.SimpleQueue()
        self.bent = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            if words[0] == "sent":
                self.sent.put(words[2])
            elif words[0] == "bent":
                self.bent.put(" ".join(words[1:]))
            else:
                self.lines.put(line.strip())

    def bend(self, order):
        """Returns when it holds."""
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        assert self.bent.get(timeout=ANSWER_SECONDS) == order

    def kill(self):
        self.process.kill()
        self.process.wait()


class Lwip(unittest.TestCase):
    def hub(self):
        return self.enterContext(fake.Hub(os.urandom(32)))

    def camera(self, hub, *words, **more):
        camera = Camera(hub, *words, **more)
        self.addCleanup(camera.kill)
        return camera

    def folder(self, *sizes):
        """Pictures of about so many bytes."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for number, size in enumerate(sizes):
            (folder / f"{number}.jpg").write_bytes(fake.picture(size, number))
        return folder

    def same(self, camera, received):
        """What came is what was sent, in its order; the last ones may be under way."""
        hashes = [hashlib.sha256(jpeg).hexdigest() for jpeg in received]
        # The camera says so a moment after the hub has the last byte.
        self.assertEqual(hashes, [camera.sent.get(timeout=ANSWER_SECONDS) for _ in hashes])

    def undisturbed(self, camera):
        """Still the first session."""
        while not camera.lines.empty():
            self.assertEqual(camera.lines.get(), "opened")

    def test_a_thousand_pictures_arrive_byte_for_byte(self):
        hub = self.hub()
        camera = self.camera(hub, "--frames", FRAMES, "--fps", 250, "--from", self.folder(3000, 9000, 20000))
        peer = hub.session()
        received = [peer.frame() for _ in range(FRAMES)]
        self.assertEqual(peer.receive(fake.BYE)[1], b"\0")
        self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)
        self.same(camera, received)

    def test_lost_packets_cost_time_and_nothing_else(self):
        hub = self.hub()
        camera = self.camera(hub, "--fps", 20)
        peer = hub.session()
        camera.bend("lose 60")
        received = [peer.frame(pings=True) for _ in range(20)]
        self.same(camera, received)
        self.undisturbed(camera)

    def test_a_slow_line_carries_what_it_can(self):
        hub = self.hub()
        camera = self.camera(hub, "--fps", 2, "--from", self.folder(1500))
        peer = hub.session()
        camera.expect("opened")
        camera.bend("rate 1000")
        began = time.monotonic()
        received = [peer.frame(pings=True) for _ in range(10)]
        self.assertGreater(time.monotonic() - began, 10)
        self.same(camera, received)
        self.undisturbed(camera)

    def test_a_picture_that_the_line_is_too_slow_for_is_given_up_after_twenty_seconds(self):
        hub = self.hub()
        camera = self.camera(hub, "--fps", 1, "--from", self.folder(60000))
        camera.bend("rate 1000")
        hub.session()
        camera.expect("opened")
        began = time.monotonic()
        camera.expect(r"ended lost wait \d+", 25)
        self.assertGreater(time.monotonic() - began, 18)
        camera.bend("go")
        hub.session().frame()
        camera.expect("opened")

    def test_a_hub_that_stops_reading_is_left_and_found_again(self):
        hub = self.hub()
        camera = self.camera(hub, "--fps", 20)
        hub.session().frame()
        camera.expect("opened")
        camera.bend("stop")
        camera.expect(r"ended lost wait \d+", 12)
        camera.bend("go")
        hub.session().frame()
        camera.expect("opened")

    def test_a_hub_that_vanished_is_left_and_found_again(self):
        hub = self.hub()
        camera = self.camera(hub, "--fps", 1, "--from", self.folder(500))
        peer = hub.session(ping_ms=1000)
        peer.frame()
        camera.expect("opened")
        # Nobody says that the connection is gone: it is silent.
        camera.bend("lose 1")
        camera.expect(r"ended (idle|lost) wait \d+", 15)
        camera.bend("lose 0")
        hub.session().frame()
        camera.expect("opened")

    def test_an_update_is_taken_whole(self):
        hub = self.hub()
        image = os.urandom(200_000)
        slot = self.folder() / "firmware.bin"
        camera = self.camera(hub, "--update", slot)
        peer = hub.session()
        self.assertEqual(peer.update(camera.own, hub.key, "1.0.1", image), 1)
        self.assertEqual(peer.receive(fake.BYE)[1], bytes([17]))
        self.assertEqual(slot.read_bytes(), image)
        self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)

    def test_readings_come_as_datagrams(self):
        hub = self.hub()
        listener = self.enterContext(fake.datagrams())
        camera = self.camera(hub, "--readings", listener.getsockname()[1], ports=[listener.getsockname()[1]])
        hub.session()
        for number in (1, 2):
            datagram = listener.recv(100)
            self.assertEqual((len(datagram), datagram[8:24]), (60, camera.own))
            self.assertEqual(struct.unpack(">I", datagram[28:32])[0], number)
            self.assertEqual(datagram[44:], fake.sign(fake.sign(hub.key, b"U", camera.own), datagram[:44])[:16])


def run(name):
    result = unittest.TestResult()
    began = time.monotonic()
    Lwip(name).run(result)
    for _, trace in result.failures + result.errors:
        print(f"failed: {name}\n{trace}")
    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
    return result.wasSuccessful()


def run_transport():
    """How many of its tests passed and failed."""
    ran = subprocess.run([TRANSPORT, "lwip-transport"], stdout=subprocess.PIPE, text=True)
    print(ran.stdout, end="", flush=True)
    counts = re.search(r"^lwip-transport: (\d+) passed, (\d+) failed$", ran.stdout, re.MULTILINE)
    passed, failed = map(int, counts.groups()) if counts else (0, 1)
    return passed, max(failed, int(ran.returncode != 0))


if __name__ == "__main__":
    names = unittest.TestLoader().getTestCaseNames(Lwip)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        transport = pool.submit(run_transport)
        sessions = sum(pool.map(run, names))
    passed, failed = transport.result()
    passed, failed = passed + sessions, failed + len(names) - sessions
    print(f"lwip: {passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and passed > 0 else 1)
