"""A hub's side of the camera link in Python, for tests: one session at a time, with a right key or a wrong one."""

import hashlib
import hmac
import os
import socket
import struct
import time

HEADER = struct.Struct(">IBBHIQI")
MAGIC = 0x4C524431
HELLO, CHALLENGE, AUTH, WELCOME, FRAME = 1, 2, 3, 4, 16
UPDATE_BEGIN, UPDATE_DATA, UPDATE_END, UPDATE_STATUS, BYE = 34, 35, 36, 37, 63


def sign(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


class Peer:
    """One connection: whole messages in and out."""

    def __init__(self, connection):
        connection.settimeout(10)
        self.connection = connection
        self.said = 0
        self.says = self.hears = None

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.connection.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def send(self, kind, payload):
        head = HEADER.pack(MAGIC, kind, 1 if self.says else 0, 0, self.said, 0, len(payload))
        self.said += 1
        mac = sign(self.says, head, payload)[:16] if self.says else b""
        self.connection.sendall(head + payload + mac)
        return head + payload

    def receive(self, *kinds):
        """The next message of one of these kinds, as type, payload and the bytes that a transcript holds."""
        while True:
            head = self.exactly(HEADER.size)
            magic, kind, flags, _, _, _, length = HEADER.unpack(head)
            assert magic == MAGIC
            payload = self.exactly(length)
            if flags & 1:
                assert self.exactly(16) == sign(self.hears, head, payload)[:16], "a wrong MAC"
            if not kinds or kind in kinds:
                return kind, payload, head + payload


class Hub:
    """Listens on a port of its own."""

    def __init__(self, key):
        self.key = key
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.port = self.listener.getsockname()[1]
        self.peers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for peer in self.peers:
            peer.connection.close()
        self.listener.close()

    def accept(self):
        peer = Peer(self.listener.accept()[0])
        self.peers.append(peer)
        _, _, transcript = peer.receive(HELLO)
        said = b"\1" + os.urandom(16) + struct.pack(">Q", time.time_ns() // 1000)
        head = HEADER.pack(MAGIC, CHALLENGE, 0, 0, 0, 0, len(said) + 32)
        transcript += head + said
        proof = sign(self.key, b"S", transcript)
        peer.connection.sendall(head + said + proof)
        peer.said = 1
        return peer, transcript + proof

    def session(self):
        """A camera through its handshake."""
        peer, transcript = self.accept()
        _, proof, _ = peer.receive(AUTH)
        assert proof == sign(self.key, b"C", transcript), "the camera has another key"
        peer.hears = sign(self.key, b"KC", transcript, proof)
        peer.says = sign(self.key, b"KS", transcript, proof)
        peer.send(WELCOME, struct.pack(">HHBBBBIII", 320, 240, 12, 2, 2, 0, 5000, 30000, 524288))
        return peer
