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
UPDATE_BEGIN, UPDATE_DATA, UPDATE_END, UPDATE_STATUS = 34, 35, 36, 37
PING, BYE = 48, 63


FRAME_PREFIX = 12


def picture(size, number):
    """A grey picture of 8 by 8 pixels; a comment makes it as long as wanted, and different from others."""
    comment = (struct.pack(">I", number) + hashlib.sha256(b"%d" % number).digest() * (size // 32))[:size]
    body = b"".join(
        bytes([0xFF, marker]) + struct.pack(">H", len(segment) + 2) + segment
        for marker, segment in [
            (0xFE, comment),
            (0xDB, bytes([0]) + bytes([1] * 64)),
            (0xC0, struct.pack(">BHHBBBB", 8, 8, 8, 1, 1, 0x11, 0)),
            (0xC4, bytes([0x00] + [1] + [0] * 15 + [0])),
            (0xC4, bytes([0x10] + [1] + [0] * 15 + [0])),
            (0xDA, bytes([1, 1, 0, 0, 63, 0])),
        ]
    )
    return b"\xff\xd8" + body + b"\x3f\xff\xd9"


def datagrams():
    """A socket on a free port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(20)
    return listener


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

    def frame(self, pings=False):
        """The next picture. A camera leaves a hub that says nothing for long, not even PING."""
        if pings:
            self.send(PING, b"12345678")
        return self.receive(FRAME)[1][FRAME_PREFIX:]

    def update(self, own, key, version, image, said_of=None):
        """Sends an image through to its end, or to where it is refused; the result's code. `said_of`: the image that
        UPDATE_BEGIN describes, where that is another."""
        described = image if said_of is None else said_of
        head = struct.pack(">I", len(described)) + hashlib.sha256(described).digest()
        said = head + b"\0" + bytes([len(version)]) + version.encode()
        self.send(UPDATE_BEGIN, said + sign(key, b"UP", own, said))
        status = self.receive(UPDATE_STATUS)[1]
        for offset in range(0, len(image), 4092):
            if status[0] == 0:
                self.send(UPDATE_DATA, struct.pack(">I", offset) + image[offset : offset + 4092])
                status = self.receive(UPDATE_STATUS)[1]
        if status[0] == 0:
            self.send(UPDATE_END, b"\1")
            status = self.receive(UPDATE_STATUS)[1]
        return status[0]

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

    def session(self, ping_ms=5000):
        """A camera through its handshake."""
        peer, transcript = self.accept()
        _, proof, _ = peer.receive(AUTH)
        assert proof == sign(self.key, b"C", transcript), "the camera has another key"
        peer.hears = sign(self.key, b"KC", transcript, proof)
        peer.says = sign(self.key, b"KS", transcript, proof)
        peer.send(WELCOME, struct.pack(">HHBBBBIII", 320, 240, 12, 2, 2, 0, ping_ms, 30000, 524288))
        return peer
