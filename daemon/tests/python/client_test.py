"""An independent gRPC client against the real daemon: all it knows of Larder it learns by reflection.

Needs larderd and larderctl (LARDERD, LARDERCTL) and the packages of requirements.txt. Ends with the line
`python: N passed, N failed`.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

LARDERD = os.environ.get("LARDERD", "target/debug/larderd")
LARDERCTL = os.environ.get("LARDERCTL", "target/debug/larderctl")
ANY_PORT = ["http.address", "http.https_address", "grpc.address", "camera_link.address", "thermometers.address", "relay.address"]
# The daemon's first start makes a database cluster.
START_SECONDS = 90
ANSWER_SECONDS = 20


class Hub:
    """larderd in a folder of its own, on free ports."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="larder-python-")
        # PostgreSQL runs as another user when this runs as root, and has to pass through.
        os.chmod(self.folder.name, 0o755)
        self.state = pathlib.Path(self.folder.name) / "state"
        settings = [word for key in ANY_PORT for word in ("--set", f"{key}=127.0.0.1:0")]
        self.daemon = subprocess.Popen([LARDERD, "--state", self.state, *settings])
        self.listeners = self._wait()

    def ctl(self, *words):
        command = [LARDERCTL, "--state", self.state, "--json", *words]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

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
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                status = self.ctl("status")
                if all(part["ready"] for part in status["parts"]):
                    return {listener["name"]: listener["address"] for listener in status["listeners"]}
            except subprocess.CalledProcessError as error:
                if self.daemon.poll() is not None:
                    raise RuntimeError("larderd ended while starting") from error
            if time.monotonic() > end:
                raise RuntimeError("larderd is not up")
            time.sleep(0.1)


class Client:
    """Calls methods by name; messages are made from what the server tells of itself."""

    def __init__(self, hub, token):
        trust = grpc.ssl_channel_credentials((hub.state / "certs" / "ca.crt").read_bytes())
        if token is not None:
            trust = grpc.composite_channel_credentials(trust, grpc.access_token_call_credentials(token))
        self.channel = grpc.secure_channel(hub.listeners["grpc"], trust)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = DescriptorPool(self.database)

    def call(self, service, method, **fields):
        descriptor = self.pool.FindServiceByName(f"larder.v1.{service}").FindMethodByName(method)
        request = message_factory.GetMessageClass(descriptor.input_type)(**fields)
        answer = message_factory.GetMessageClass(descriptor.output_type)
        kind = self.channel.unary_stream if descriptor.server_streaming else self.channel.unary_unary
        stub = kind(
            f"/larder.v1.{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return stub(request, timeout=ANSWER_SECONDS)


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.addClassCleanup(cls.hub.stop)
        camera = cls.hub.camera("fridge")
        cls.addClassCleanup(camera.wait, 20)
        cls.addClassCleanup(camera.terminate)
        cls.token = cls.hub.ctl("token", "create", "python", "--role", "viewer")["secret"]
        cls.client = Client(cls.hub, cls.token)
        cls.addClassCleanup(cls.client.channel.close)

    def test_reflection_lists_every_service(self):
        services = set(self.client.database.get_services())
        wanted = {f"larder.v1.{name}Service" for name in ("Camera", "Recording", "System", "Access")}
        self.assertLessEqual(wanted, services)

    def test_cameras_are_listed(self):
        cameras = self.client.call("CameraService", "ListCameras").cameras
        self.assertEqual([camera.name for camera in cameras], ["fridge"])
        self.assertEqual((cameras[0].capture.size.width, cameras[0].capture.size.height), (640, 480))

    def test_a_stream_tells_when_the_camera_is_online_and_how_it_is(self):
        stream = self.client.call("CameraService", "WatchCameras")
        for status in stream:
            if status.frames_received >= 5 and status.HasField("telemetry"):
                break
        stream.cancel()
        online = status.DESCRIPTOR.fields_by_name["presence"].enum_type.values_by_name["PRESENCE_ONLINE"].number
        self.assertEqual(status.presence, online)
        self.assertEqual((status.size.width, status.size.height), (320, 240))
        self.assertGreater(status.telemetry.heap_free_bytes, 100_000)

    def test_without_a_token_nothing_is_told(self):
        stranger = Client(self.hub, None)
        self.addCleanup(stranger.channel.close)
        stub = stranger.channel.unary_unary("/larder.v1.CameraService/ListCameras")
        with self.assertRaises(grpc.RpcError) as refused:
            stub(b"", timeout=ANSWER_SECONDS)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.UNAUTHENTICATED)

    def test_a_viewer_may_not_remove_a_camera(self):
        with self.assertRaises(grpc.RpcError) as refused:
            self.client.call("CameraService", "DeleteCamera", camera="fridge")
        self.assertEqual(refused.exception.code(), grpc.StatusCode.PERMISSION_DENIED)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=2).result
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"python: {outcome.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and outcome.testsRun > 0 else 1)
