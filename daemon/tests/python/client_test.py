"""An independent gRPC client against the real daemon: all it knows of Larder it learns by reflection."""

import unittest

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from hub import Hub

ANSWER_SECONDS = 20


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
