"""Speaks to a hub with nothing but grpcio and reflection: ADDRESS AUTHORITY.pem, the token in LARDER_TOKEN."""

import os
import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Bearer(grpc.AuthMetadataPlugin):
    """Adds the token to every call."""

    def __call__(self, context, callback):
        callback((("authorization", "Bearer " + os.environ["LARDER_TOKEN"]),), None)


def main(address, authority):
    with open(authority, "rb") as file:
        tls = grpc.ssl_channel_credentials(file.read())
    credentials = grpc.composite_channel_credentials(tls, grpc.metadata_call_credentials(Bearer()))
    with grpc.secure_channel(address, credentials) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(database)
        for name in database.get_services():
            print("service", name)
        service = pool.FindServiceByName("larder.v1.CameraService")

        def call(name, message, stream=False):
            method = service.methods_by_name[name]
            request = GetMessageClass(method.input_type)(**message)
            kind = channel.unary_stream if stream else channel.unary_unary
            path = f"/{service.full_name}/{name}"
            answer = GetMessageClass(method.output_type)
            return kind(path, lambda m: m.SerializeToString(), answer.FromString)(request, timeout=30)

        for camera in call("ListCameras", {}).cameras:
            print("camera", camera.name, camera.capture.size.width, "x", camera.capture.size.height)
        for status in call("WatchCameras", {"cameras": ["fridge"]}, stream=True):
            if status.presence == 2 and status.frames_received > 3:
                print("online", status.frames_received, "frames")
                break
        try:
            call("DeleteCamera", {"camera": "fridge"})
        except grpc.RpcError as error:
            print("denied", error.code().name)


main(*sys.argv[1:])
