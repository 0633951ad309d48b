"""An independent viewer of larder/1, written from proto/WIRE.md, over aioquic's QUIC."""

import asyncio
import collections
import ssl
import struct
import time
import unittest

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived, StreamReset

from hub import Hub

HELLO, WISH, REPORT, PING, WELCOME, STATUS, PONG = 1, 2, 3, 4, 32, 33, 34
UNAUTHENTICATED, UNKNOWN_CAMERA, REVOKED, VERSION, MALFORMED = 2, 4, 6, 8, 9
FRAME_HEADER = struct.Struct(">BBHIQqqHHI")
ANSWER_SECONDS = 20

Frame = collections.namedtuple(
    "Frame", "version flags reserved skipped sequence captured_at_us sent_at_us width height length jpeg"
)


def text(value):
    return bytes([len(value)]) + value.encode()


def hello(token, camera="fridge", rate=0, width=0, height=0, versions=(1, 1)):
    wish = struct.pack(">HHH", rate, width, height)
    return bytes(versions) + wish + text(camera) + text("aioquic") + text(token)


class Viewer(QuicConnectionProtocol):
    """Speaks the control stream and puts frames together."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.control = None
        self.heard = b""
        self.streams = collections.defaultdict(bytes)
        self.messages = asyncio.Queue()
        self.frames = asyncio.Queue()
        self.given_up = 0
        self.closed_with = asyncio.get_running_loop().create_future()

    def say(self, kind, payload):
        if self.control is None:
            self.control = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(self.control, struct.pack(">BH", kind, len(payload)) + payload)
        self.transmit()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.closed_with.done() or self.closed_with.set_result(event.error_code)
        elif isinstance(event, StreamReset):
            self.streams.pop(event.stream_id, None)
            self.given_up += 1
        elif isinstance(event, StreamDataReceived) and event.stream_id == self.control:
            self.heard += event.data
            self._listen()
        elif isinstance(event, StreamDataReceived):
            self.streams[event.stream_id] += event.data
            if event.end_stream:
                self._frame(self.streams.pop(event.stream_id))

    def _listen(self):
        while len(self.heard) >= 3:
            kind, length = struct.unpack_from(">BH", self.heard)
            if len(self.heard) < 3 + length:
                return
            self.messages.put_nowait((kind, self.heard[3 : 3 + length]))
            self.heard = self.heard[3 + length :]

    def _frame(self, whole):
        jpeg = whole[FRAME_HEADER.size :]
        self.frames.put_nowait(Frame(*FRAME_HEADER.unpack_from(whole), jpeg))

    async def message(self, wanted):
        while True:
            kind, payload = await self.messages.get()
            if kind == wanted:
                return payload


class RelayTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.hub = Hub()
        cls.addClassCleanup(cls.hub.stop)
        camera = cls.hub.camera("fridge")
        cls.addClassCleanup(camera.wait, 20)
        cls.addClassCleanup(camera.terminate)
        cls.token = cls.hub.ctl("token", "create", "python", "--role", "viewer")["secret"]

    def dial(self):
        host, port = self.hub.listeners["relay"].rsplit(":", 1)
        configuration = QuicConfiguration(is_client=True, alpn_protocols=["larder/1"], server_name="localhost")
        configuration.load_verify_locations(str(self.hub.state / "certs" / "ca.crt"))
        configuration.verify_mode = ssl.CERT_REQUIRED
        return connect(host, int(port), configuration=configuration, create_protocol=Viewer)

    async def within(self, waiting):
        return await asyncio.wait_for(waiting, ANSWER_SECONDS)

    async def test_frames_come_whole_in_their_order_and_with_their_times(self):
        async with self.dial() as viewer:
            viewer.say(HELLO, hello(self.token))
            welcome = await self.within(viewer.message(WELCOME))
            self.assertEqual((welcome[0], welcome[33:]), (1, text("fridge")))
            frames = [await self.within(viewer.frames.get()) for _ in range(20)]
            for frame in frames:
                self.assertEqual((frame.version, frame.length), (1, len(frame.jpeg)))
                self.assertEqual((frame.jpeg[:2], frame.jpeg[-2:]), (b"\xff\xd8", b"\xff\xd9"))
                self.assertEqual((frame.width, frame.height), (320, 240))
                self.assertLessEqual(frame.captured_at_us, frame.sent_at_us)
                # One machine, one clock.
                self.assertLess(abs(frame.captured_at_us / 1e6 - time.time()), ANSWER_SECONDS)
            sequences = [frame.sequence for frame in frames]
            self.assertEqual(sequences, sorted(set(sequences)))
            self.assertEqual(sequences[-1] - sequences[0], 19 + sum(frame.skipped for frame in frames[1:]))
            viewer.say(REPORT, struct.pack(">QQI", 20, 0, 40))
            viewer.say(PING, b"8 bytes!")
            pong = await self.within(viewer.message(PONG))
            self.assertEqual(pong[:8], b"8 bytes!")
            self.assertLess(abs(struct.unpack(">q", pong[8:])[0] / 1e6 - time.time()), ANSWER_SECONDS)
            status = await self.within(viewer.message(STATUS))
            self.assertEqual(status[0], 1, "the camera is online")
            self.assertTrue(1 <= status[2] <= 16, "the window")

    async def test_a_wish_for_fewer_frames_is_heard_at_any_time(self):
        async with self.dial() as viewer:
            viewer.say(HELLO, hello(self.token))
            await self.within(viewer.frames.get())
            viewer.say(WISH, struct.pack(">HHH", 20, 0, 0))
            # What was under way before it was heard.
            await asyncio.sleep(1)
            while not viewer.frames.empty():
                viewer.frames.get_nowait()
            frames = [await self.within(viewer.frames.get()) for _ in range(3)]
            took = (frames[-1].sent_at_us - frames[0].sent_at_us) / 1e6
            self.assertGreater(took, 0.85, "two a second")
            self.assertGreater(sum(frame.skipped for frame in frames), 0)

    async def test_what_is_optional_is_passed_over_and_what_is_unknown_is_not(self):
        async with self.dial() as viewer:
            viewer.say(HELLO, hello(self.token) + b"of a later version")
            await self.within(viewer.message(WELCOME))
            viewer.say(0x85, b"nobody knows this")
            await self.within(viewer.frames.get())
            viewer.say(0x45, b"nor this")
            self.assertEqual(await self.within(viewer.closed_with), MALFORMED)

    async def test_strangers_and_those_who_ask_for_nothing_there_are_told_why(self):
        refused = [
            (hello("lrd_wrong"), UNAUTHENTICATED),
            (hello(self.token, camera="cellar"), UNKNOWN_CAMERA),
            (hello(self.token, versions=(7, 9)), VERSION),
            (b"\x01", MALFORMED),
        ]
        for said, code in refused:
            with self.subTest(code=code):
                async with self.dial() as viewer:
                    viewer.say(HELLO, said)
                    self.assertEqual(await self.within(viewer.closed_with), code)
                    self.assertTrue(viewer.frames.empty())

    async def test_a_revoked_token_ends_the_view_at_once(self):
        token = self.hub.ctl("token", "create", "short", "--role", "viewer")["secret"]
        async with self.dial() as viewer:
            viewer.say(HELLO, hello(token))
            await self.within(viewer.frames.get())
            await asyncio.to_thread(self.hub.do, "token", "revoke", "short")
            self.assertEqual(await self.within(viewer.closed_with), REVOKED)
