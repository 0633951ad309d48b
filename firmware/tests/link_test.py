"""The firmware's core and transport as a program, against the real daemon and against hubs that are none.

Needs larderd and larderctl (LARDERD, LARDERCTL), ffmpeg, fridgecam-host (FRIDGECAM), and the core as Xtensa code
(XTENSA_CAMERA, run by qemu-xtensa). Ends with the line `link: N passed, N failed`.
"""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import hub as fake
import lines
from lines import ANSWER_SECONDS

LARDERD = os.environ.get("LARDERD", "../target/debug/larderd")
LARDERCTL = os.environ.get("LARDERCTL", "../target/debug/larderctl")
FRIDGECAM = os.environ["FRIDGECAM"]
XTENSA_CAMERA = os.environ["XTENSA_CAMERA"]
# The daemon's first start makes a database cluster.
START_SECONDS = 90
FRAMES = 1000


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(condition, what, seconds=ANSWER_SECONDS):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.05)
    return value


class Daemon:
    """larderd in a folder of its own, always on the same ports, so that it can be killed and come back."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="larder-firmware-")
        # PostgreSQL runs as another user when this runs as root, and has to pass through.
        os.chmod(self.folder.name, 0o755)
        self.state = pathlib.Path(self.folder.name) / "state"
        keys = ["http.address", "http.https_address", "grpc.address", "camera_link.address", "thermometers.address", "relay.address"]
        self.ports = {key: free_port() for key in keys}
        self.start()
        self.token = self.ctl("token", "create", "firmware", "--role", "viewer")["secret"]

    def start(self):
        settings = [word for key, port in self.ports.items() for word in ("--set", f"{key}=127.0.0.1:{port}")]
        self.process = subprocess.Popen([LARDERD, "--state", self.state, *settings], stderr=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL)
        until(self.is_ready, "larderd is up", START_SECONDS)

    def is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("larderd ended while starting")
        try:
            return all(part["ready"] for part in self.ctl("status")["parts"])
        except subprocess.CalledProcessError:
            return False

    def ctl(self, *words):
        command = [LARDERCTL, "--state", self.state, "--json", *words]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def refused(self, *words):
        """What a command complains of."""
        command = [LARDERCTL, "--state", self.state, *words]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert ran.returncode != 0, ran.stdout
        return ran.stderr

    def add(self, name):
        """A new camera's provisioning line."""
        line = self.ctl("camera", "add", name)["provisioning_line"]
        return re.sub(r"hub=\S+", f"hub=127.0.0.1:{self.ports['camera_link.address']}", line)

    def status(self, name):
        shown = self.ctl("camera", "show", name)
        return shown.get("camera", shown)["status"]

    def refused_datagrams(self, reason):
        with self.get("/metrics") as answer:
            page = answer.read().decode()
        found = re.search(rf'^larder_reading_datagrams_refused_total{{reason="{reason}"}} (\d+)$', page, re.MULTILINE)
        return int(found[1]) if found else 0

    def get(self, path):
        url = f"http://127.0.0.1:{self.ports['http.address']}{path}"
        return urllib.request.urlopen(
            urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"}), timeout=ANSWER_SECONDS
        )

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(timeout=40)


class Camera(lines.Lines):
    """fridgecam-host, and the lines that it prints."""

    def __init__(self, line, *words):
        super().__init__()
        self.process = subprocess.Popen([FRIDGECAM, "--line", line, *words], stdout=subprocess.PIPE, text=True)
        self.sent = {}
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            if words[0] == "sent":
                self.sent[words[2]] = int(words[1])
            else:
                self.lines.put(line.strip())

    def stop(self):
        """Ends it, if it has not ended, after its last line was read."""
        self.process.terminate()
        code = self.process.wait(timeout=20)
        self.reader.join(timeout=20)
        self.process.stdout.close()
        return code


def parts(stream):
    """The pictures of an MJPEG stream."""
    while line := stream.readline():
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
            while stream.readline().strip():
                pass
            yield stream.read(length)


class LinkTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.folder.cleanup)
        cls.addClassCleanup(lambda: cls.daemon.stop())

    def camera(self, line, *words):
        camera = Camera(line, *words)
        self.addCleanup(camera.stop)
        return camera

    def test_a_thousand_pictures_arrive_byte_for_byte_and_in_order(self):
        camera = self.camera(self.daemon.add("thousand"), "--fps", "50")
        camera.expect("opened")
        until(lambda: self.daemon.status("thousand")["frames_received"], "a first picture")
        seen = []
        with self.daemon.get("/cameras/thousand/stream.mjpeg") as stream:
            for picture in parts(stream):
                seen.append(hashlib.sha256(picture).hexdigest())
                if len(seen) == FRAMES:
                    break
        until(lambda: seen[-1] in camera.sent, "the last one's line")
        numbers = [camera.sent[digest] for digest in seen]
        self.assertEqual(numbers, sorted(set(numbers)))
        camera.stop()
        until(lambda: self.daemon.status("thousand")["frames_received"] == len(camera.sent), "all that were sent")
        self.assertEqual(self.daemon.status("thousand")["frames_refused"], {})
        with self.daemon.get("/cameras/thousand/snapshot.jpg") as answer:
            picture = answer.read()
        decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", "-", "-f", "null", "-"], input=picture,
                                 capture_output=True)
        self.assertEqual((decoded.returncode, decoded.stderr), (0, b""))

    def test_files_of_a_folder_arrive_as_they_are(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x240", "-frames:v", "3",
                            f"{folder}/%d.jpg"], check=True)
            files = {path.read_bytes() for path in pathlib.Path(folder).iterdir()}
            camera = self.camera(self.daemon.add("folder"), "--from", folder)
            camera.expect("opened")
            until(lambda: self.daemon.status("folder")["frames_received"], "a first picture")
            with self.daemon.get("/cameras/folder/stream.mjpeg") as stream:
                found = {picture for picture, _ in zip(parts(stream), range(6))}
        self.assertLessEqual(found, files)

    def test_commands_are_obeyed_and_acknowledged(self):
        camera = self.camera(self.daemon.add("obedient"))
        camera.expect("opened")
        until(lambda: self.daemon.status("obedient")["presence"] == "online", "it is online")
        control = lambda *words: self.daemon.ctl("camera", "control", "obedient", *words)
        control("flash", "100")
        camera.expect("command 5")
        control("size", "320x240")
        until(lambda: self.daemon.status("obedient")["width"] == 320, "smaller pictures")
        control("pan-tilt", "10", "20")
        control("sensor", "vflip", "1")
        control("reboot")
        self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)

    def test_a_hub_with_another_key_is_told_nothing_and_left_alone_for_a_minute(self):
        rogue = self.enterContext(fake.Hub(os.urandom(32)))
        line = f"larder hub=127.0.0.1:{rogue.port} camera={'0' * 32} key={'00' * 32}"
        camera = self.camera(line, "--once")
        peer, _ = rogue.accept()
        with self.assertRaises((EOFError, ConnectionResetError)):
            peer.receive()
        wait = int(camera.expect(r"ended unproven wait (\d+)")[1])
        self.assertGreaterEqual(wait, 60_000)

    def test_a_camera_with_another_key_leaves_the_hub_and_is_refused_by_it(self):
        line = self.daemon.add("stranger")
        wrong = self.camera(re.sub(r"key=\S+", "key=" + "5a" * 32, line), "--once")
        self.assertGreaterEqual(int(wrong.expect(r"ended unproven wait (\d+)")[1]), 60_000)
        # One that goes on all the same gets no further.
        link = socket.create_connection(("127.0.0.1", self.daemon.ports["camera_link.address"]))
        peer = fake.Peer(self.enterContext(link))
        camera = bytes.fromhex(re.search(r"camera=(\S+)", line)[1].replace("-", ""))
        peer.send(fake.HELLO, b"\1\1" + camera + os.urandom(16) + bytes(18) + b"\0")
        peer.receive(fake.CHALLENGE)
        peer.send(fake.AUTH, os.urandom(32))
        _, reason, _ = peer.receive(fake.BYE)
        self.assertEqual(reason, b"\6")

    def test_pictures_that_break_off_are_lost_alone(self):
        camera = self.camera(self.daemon.add("brownout"), "--cut-after", "5", "--fps", "20")
        for _ in range(3):
            camera.expect("opened")
            camera.expect(r"ended lost wait \d+")
        camera.stop()
        status = until(
            lambda: (now := self.daemon.status("brownout"))["frames_received"] >= len(camera.sent) and now,
            "all whole pictures",
        )
        self.assertEqual((status["frames_received"], status["frames_refused"]), (len(camera.sent), {}))
        self.assertEqual(len(camera.sent) % 5, 0)

    def test_a_hub_that_is_killed_is_found_again(self):
        camera = self.camera(self.daemon.add("patient"))
        camera.expect("opened")
        self.daemon.stop(signal.SIGKILL)
        camera.expect(r"ended lost wait \d+")
        self.daemon.start()
        camera.expect("opened", 60)
        until(lambda: self.daemon.status("patient")["frames_received"], "pictures again")

    def test_readings_are_signed_and_numbered(self):
        line = self.daemon.add("warm")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(("127.0.0.1", 0))
            listener.settimeout(ANSWER_SECONDS)
            camera = self.camera(line, "--readings", str(listener.getsockname()[1]))
            heard = [listener.recv(100) for _ in range(3)]
        key = bytes.fromhex(re.search(r"key=(\S+)", line)[1])
        own = bytes.fromhex(re.search(r"camera=(\S+)", line)[1].replace("-", ""))
        for number, datagram in enumerate(heard, 1):
            self.assertEqual((len(datagram), datagram[:8], datagram[8:24]), (60, b"LRT1\1\0\0\0", own))
            self.assertEqual(datagram[44:], fake.sign(fake.sign(key, b"U", own), datagram[:44])[:16])
            self.assertEqual(struct.unpack(">I", datagram[28:32])[0], number)
        self.assertEqual(camera.stop(), 0)

    def test_a_reading_that_is_sent_again_counts_for_nothing(self):
        line = self.daemon.add("replayed")
        self.daemon.ctl("sensor", "add", "replayed", "--probe", "replayed")
        hub = ("127.0.0.1", self.daemon.ports["thermometers.address"])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as between:
            between.bind(("127.0.0.1", 0))
            between.settimeout(ANSWER_SECONDS)
            camera = self.camera(line, "--readings", str(between.getsockname()[1]))
            camera.expect("opened")
            heard = [between.recv(100) for _ in range(3)]
            camera.stop()
            for datagram in heard:
                between.sendto(datagram, hub)
            latest = lambda: self.daemon.ctl("sensor", "show", "replayed")["latest"]
            read = until(latest, "a reading")
            before = self.daemon.refused_datagrams("replayed")
            for datagram in heard + heard[::-1]:
                between.sendto(datagram, hub)
            until(lambda: self.daemon.refused_datagrams("replayed") == before + 6, "all are refused")
            self.assertEqual(latest(), read)
            # The hub remembers over its end.
            self.daemon.stop()
            self.daemon.start()
            for datagram in heard:
                between.sendto(datagram, hub)
            until(lambda: self.daemon.refused_datagrams("replayed") == 3, "all are refused")

    def test_an_update_is_taken_whole_and_a_damaged_one_refused(self):
        key, own = os.urandom(32), os.urandom(16)
        hub = self.enterContext(fake.Hub(key))
        image = os.urandom(10_000)
        damaged = image[:5000] + bytes([image[5000] ^ 1]) + image[5001:]
        with tempfile.TemporaryDirectory() as folder:
            slot = pathlib.Path(folder) / "firmware.bin"
            line = f"larder hub=127.0.0.1:{hub.port} camera={own.hex()} key={key.hex()}"
            camera = self.camera(line, "--update", slot)
            peer = hub.session()
            for version, sent, result in [("0.9.0", image, 3), ("1.0.1", damaged, 5), ("1.0.1", image, 1)]:
                self.assertEqual(peer.update(own, key, version, sent, said_of=image), result)
                self.assertEqual(slot.exists(), result == 1)
            self.assertEqual(peer.receive(fake.BYE)[1], bytes([17]))
            self.assertEqual(slot.read_bytes(), image)
            self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)

    def test_the_hub_sends_firmware_and_says_what_became_of_it(self):
        line = self.daemon.add("updated")
        with tempfile.TemporaryDirectory() as folder:
            slot, file = pathlib.Path(folder) / "slot", pathlib.Path(folder) / "firmware.bin"
            image = b"\xe9" + os.urandom(30_000) + b"fridgecam-version=1.0.1\0" + os.urandom(5_000)
            file.write_bytes(image)
            update = ["camera", "update", "updated", str(file)]
            self.assertIn("offline", self.daemon.refused(*update))
            camera = self.camera(line)
            camera.expect("opened")
            self.assertIn("no firmware over the air", self.daemon.refused(*update))
            camera.stop()

            camera = self.camera(line, "--update", slot)
            camera.expect("opened")
            self.assertIn("older", self.daemon.refused(*update, "--firmware-version", "0.9"))
            self.assertIn("0xe9", self.daemon.refused("camera", "update", "updated", __file__, "--firmware-version", "2"))
            self.assertFalse(slot.exists())
            with concurrent.futures.ThreadPoolExecutor() as pool:
                updated = pool.submit(self.daemon.ctl, *update)
                self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)
                self.assertEqual(slot.read_bytes(), image)
                # What the bootloader does on a board.
                camera = self.camera(line, "--version", "1.0.1", "--update", slot)
                shown = updated.result(timeout=ANSWER_SECONDS)
            self.assertEqual((shown["firmware_version"], shown["bytes"]), ("1.0.1", len(image)))

            with concurrent.futures.ThreadPoolExecutor() as pool:
                # One that comes back with what it ran before has taken the new one back.
                refused = pool.submit(self.daemon.refused, *update, "--force")
                self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)
                self.camera(line, "--version", "1.0.0")
                self.assertIn("did not keep", refused.result(timeout=ANSWER_SECONDS))

    def test_a_session_can_be_captured_and_read(self):
        line, port = self.daemon.add("traced"), free_port()
        with tempfile.TemporaryDirectory() as folder:
            capture = pathlib.Path(folder) / "session"
            hub = f"127.0.0.1:{self.daemon.ports['camera_link.address']}"
            words = [LARDERCTL, "--json", "camera", "trace"]
            trace = subprocess.Popen([*words, "--listen", f"127.0.0.1:{port}", "--to", hub, "--capture", capture],
                                     stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.addCleanup(trace.kill)
            camera = self.camera(re.sub(r"hub=\S+", f"hub=127.0.0.1:{port}", line), "--frames", "10")
            self.assertEqual(camera.process.wait(timeout=ANSWER_SECONDS), 0)
            told = []
            while not told or told[-1]["kind"] != "Bye":
                told.append(json.loads(trace.stdout.readline()))
            trace.send_signal(signal.SIGINT)
            trace.wait(timeout=ANSWER_SECONDS)
            self.assertEqual([(said["side"], said["kind"]) for said in told[:4]], [
                ("camera", "Hello"), ("hub", "Challenge"), ("camera", "Auth"), ("hub", "Welcome")])
            frames = [said for said in told if said["kind"] == "Frame"]
            self.assertEqual((len(frames), {said["has_mac"] for said in frames}), (10, {True}))
            read = subprocess.run([*words, capture], check=True, capture_output=True, text=True).stdout
            self.assertEqual([json.loads(line) for line in read.splitlines()][:len(told)], told)

    def test_the_core_as_xtensa_code_proves_itself_and_sends(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "line").write_text(self.daemon.add("xtensa"))
            subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x48", "-frames:v", "1",
                            f"{folder}/picture.jpg"], check=True)
            ran = subprocess.run(["qemu-xtensa", "-cpu", "lx106", XTENSA_CAMERA], cwd=folder, capture_output=True,
                                 text=True, timeout=ANSWER_SECONDS)
        self.assertEqual((ran.stdout, ran.returncode), ("opened\nsent 20\n", 0))
        until(lambda: self.daemon.status("xtensa")["frames_received"] == 20, "all pictures")
        self.assertEqual(self.daemon.status("xtensa")["frames_refused"], {})


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=2).result
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"link: {outcome.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and outcome.testsRun > 0 else 1)
