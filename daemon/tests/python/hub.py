"""larderd in a folder of its own, for independent clients to meet."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

LARDERD = os.environ.get("LARDERD", "target/debug/larderd")
LARDERCTL = os.environ.get("LARDERCTL", "target/debug/larderctl")
LISTENERS = ["http.address", "http.https_address", "grpc.address", "camera_link.address", "thermometers.address"]
LISTENERS += ["relay.address"]
# The daemon's first start makes a database cluster.
PATIENCE_SECONDS = 90


class Hub:
    """larderd in a folder of its own, on free ports."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="larder-python-")
        # PostgreSQL runs as another user when this runs as root, and has to pass through.
        os.chmod(self.folder.name, 0o755)
        self.state = pathlib.Path(self.folder.name) / "state"
        settings = [word for key in LISTENERS for word in ("--set", f"{key}=127.0.0.1:0")]
        self.daemon = subprocess.Popen([LARDERD, "--state", self.state, *settings])
        self.listeners = self._wait()

    def do(self, *words):
        command = [LARDERCTL, "--state", self.state, "--json", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def ctl(self, *words):
        return json.loads(self.do(*words))

    def camera(self, name):
        """A simulated camera that sends until it is terminated."""
        key_file = self.state / f"{name}.key"
        self.ctl("camera", "add", name, "--key-file", key_file)
        words = ["--key-file", key_file, "--link", self.listeners["camera_link"], "--size", "320x240"]
        return subprocess.Popen([LARDERCTL, "--state", self.state, "camera", "simulate", name, *words])

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait(timeout=40)
        self.folder.cleanup()

    def _wait(self):
        def ready():
            try:
                status = self.ctl("status")
            except subprocess.CalledProcessError as error:
                if self.daemon.poll() is not None:
                    raise RuntimeError("larderd ended while starting") from error
                return None
            return status if all(part["ready"] for part in status["parts"]) else None

        return {listener["name"]: listener["address"] for listener in until("larderd", ready)["listeners"]}


def until(what, ask):
    """Asks until the answer is true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise RuntimeError(f"waited for {what}")
        time.sleep(0.1)
