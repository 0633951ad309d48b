// The link against a hub in memory: who may say what, and what ends a session.
#include "fake.h"

using namespace larder;

namespace {

struct Rig {
    fake::Board board;
    fake::Hub hub;
    Link link;

    explicit Rig(const uint8_t* hub_key = vectors::kKey)
        : hub(&board, hub_key), link(vectors::kKey, &hub, &board, nullptr) {}

    Bye open() { return link.open(fake::kHub); }

    void expect_end(Bye reason, bool says_bye) {
        CHECK(!link.poll(0));
        CHECK(!link.is_open() && !hub.is_open);
        CHECK_EQ(link.reason(), reason);
        Packet packet;
        CHECK_EQ(hub.heard(Kind::Bye, &packet), says_bye);
        if (says_bye) CHECK_EQ(packet.payload[0], reason);
    }
};

const uint8_t kOtherKey[kKeyLen] = {9};

}  // namespace

TEST("a session stands after four messages, and TELEMETRY comes at once") {
    Rig rig;
    CHECK_EQ(rig.open(), Bye::None);
    CHECK(rig.link.is_open());
    CHECK_EQ(rig.board.welcome.width, 800);
    CHECK(rig.link.poll(10));
    Packet packet;
    CHECK(rig.hub.heard(Kind::Telemetry, &packet));
    CHECK_EQ(packet.payload[3], 77);
}

TEST("it stands as well when every byte comes alone") {
    Rig rig;
    rig.hub.piece = 1;
    CHECK_EQ(rig.open(), Bye::None);
}

TEST("a hub with another key is told nothing after HELLO") {
    Rig rig(kOtherKey);
    CHECK_EQ(rig.open(), Bye::Unproven);
    CHECK(is_refusal(rig.link.reason()));
    CHECK_EQ(rig.hub.from_camera_len, rig.hub.said_after_challenge);
    CHECK(!rig.hub.is_open && !rig.link.is_open());
}

TEST("a BYE instead of CHALLENGE or WELCOME is told by its reason, and none opens a session") {
    for (int code = 0; code < 256; code++) {
        Rig early, late;
        early.hub.early_bye = code;
        late.hub.bye_after_auth = code;
        const Bye reason = code < 0xfe ? static_cast<Bye>(code) : Bye::Malformed;
        CHECK_EQ(early.open(), reason);
        CHECK_EQ(late.open(), reason);
        CHECK(!early.link.is_open() && !late.link.is_open());
    }
}

TEST("a hub that can't be reached or is silent is given up in time") {
    Rig gone;
    gone.hub.is_reachable = false;
    CHECK_EQ(gone.open(), Bye::Lost);
    Rig silent;
    silent.hub.piece = 0;
    const uint64_t began_us = silent.board.time_us;
    CHECK_EQ(silent.open(), Bye::HandshakeTooSlow);
    CHECK(silent.board.time_us - began_us < 6000000);
}

TEST("the handshake has its time from when the connection stands") {
    Rig slow;
    slow.hub.connect_ms = 4900;
    CHECK_EQ(slow.open(), Bye::None);
    Rig silent;
    silent.hub.connect_ms = 4900;
    silent.hub.piece = 0;
    const uint64_t began_us = silent.board.time_us;
    CHECK_EQ(silent.open(), Bye::HandshakeTooSlow);
    const uint64_t took_us = silent.board.time_us - began_us;
    CHECK(took_us >= 9900000 && took_us < 11000000);
}

TEST("a hub that goes on saying something does not keep the camera from its pictures, and it is alive") {
    Rig rig;
    rig.open();
    rig.hub.never_silent_ms = 100;
    const uint64_t began_us = rig.board.time_us;
    rig.board.longest_us = 0;
    CHECK(rig.link.poll(500));
    CHECK(rig.board.time_us - began_us <= 2000000);
    CHECK(rig.board.longest_us <= 200000);
}

TEST("a PING comes back, a command is obeyed and acknowledged") {
    Rig rig;
    rig.open();
    rig.hub.say(Kind::Ping, "12345678", 8);
    const uint8_t flash[] = {0, 0, 0, 42, 5, 200};
    rig.hub.say(Kind::Control, flash, sizeof flash);
    CHECK(rig.link.poll(0));
    CHECK(rig.board.last.command == Command::Flash && rig.board.last.level == 200);
    Packet packet;
    CHECK(rig.hub.heard(Kind::Pong, &packet));
    CHECK(memcmp(packet.payload, "12345678", 8) == 0);
    CHECK(rig.hub.heard(Kind::Ack, &packet));
    CHECK_EQ(packet.payload[3], 42);
    CHECK_EQ(packet.payload[4], AckResult::Done);
    CHECK(memcmp(packet.payload + 6, "as told", 7) == 0);
}

TEST("a command nobody knows is answered, not a reason to end") {
    Rig rig;
    rig.board.answer = AckResult::Unsupported;
    rig.open();
    const uint8_t strange[] = {0, 0, 0, 1, 99, 1, 2, 3};
    rig.hub.say(Kind::Control, strange, sizeof strange);
    CHECK(rig.link.poll(0));
    Packet packet;
    CHECK(rig.hub.heard(Kind::Ack, &packet));
    CHECK_EQ(packet.payload[4], AckResult::Unsupported);
}

TEST("a reboot is acknowledged, then said, then wanted") {
    Rig rig;
    rig.open();
    const uint8_t reboot[] = {0, 0, 0, 7, 8};
    rig.hub.say(Kind::Control, reboot, sizeof reboot);
    CHECK(!rig.link.wants_restart());
    rig.expect_end(Bye::Restarting, true);
    Packet packet;
    CHECK(rig.hub.heard(Kind::Ack, &packet));
    CHECK(rig.link.wants_restart());
}

TEST("a picture goes out as it is, with the MAC that WELCOME asks for") {
    Rig rig;
    rig.open();
    uint8_t picture[3000];
    for (size_t at = 0; at < sizeof picture; at++) picture[at] = static_cast<uint8_t>(at);
    uint32_t stall_ms;
    const FrameInfo info = {5, 800, 600, 10, 0, 3};
    CHECK(rig.link.frame(info, 123456, picture, sizeof picture, &stall_ms) == Sent::Whole);
    Packet packet;
    CHECK(rig.hub.heard(Kind::Frame, &packet));
    CHECK(packet.header.mac);
    CHECK_EQ(packet.header.t_us, 123456);
    CHECK_EQ(packet.header.length, sizeof picture + 12);
    CHECK(memcmp(packet.payload + 12, picture, sizeof picture) == 0);
}

TEST("a picture over the hub's limit is not sent, and nothing ends") {
    Rig rig;
    rig.hub.largest_frame = 112;
    rig.open();
    uint8_t picture[101] = {};
    uint32_t stall_ms;
    const FrameInfo info = {0, 800, 600, 10, 0, 0};
    CHECK(rig.link.frame(info, 0, picture, 100, &stall_ms) == Sent::Whole);
    CHECK(rig.link.frame(info, 0, picture, 101, &stall_ms) == Sent::TooLarge);
    CHECK(rig.link.poll(0));
}

TEST("after a send that stood still nothing more is said") {
    Rig rig;
    rig.open();
    rig.hub.is_stalled = true;
    const size_t before = rig.hub.from_camera_len;
    uint8_t picture[10] = {};
    uint32_t stall_ms;
    CHECK(rig.link.frame(FrameInfo{0, 8, 8, 10, 0, 0}, 0, picture, sizeof picture, &stall_ms) == Sent::Lost);
    CHECK_EQ(stall_ms, kSendLimits.still_ms);
    CHECK_EQ(rig.link.reason(), Bye::Lost);
    CHECK_EQ(rig.hub.from_camera_len, before);
    CHECK(!rig.link.poll(0));
}

TEST("a hub that says nothing for three intervals is left") {
    Rig rig;
    rig.open();
    for (int second = 0; second < 15; second++) CHECK(rig.link.poll(1000));
    CHECK(!rig.link.poll(2000));
    CHECK_EQ(rig.link.reason(), Bye::Idle);
    CHECK(rig.link.welcomed_for_ms() >= 15000 && rig.link.welcomed_for_ms() < 18000);
}

TEST("what a hub may not say ends the session with the reason") {
    const uint8_t one[1024] = {1};
    const struct {
        Kind kind;
        size_t count;
        Bye reason;
    } cases[] = {
        {Kind::Welcome, 20, Bye::Unexpected},    {Kind::Telemetry, 51, Bye::Unexpected},
        {Kind::Ack, 6, Bye::Unexpected},         {Kind::Hello, 54, Bye::Unexpected},
        {Kind::UpdateBegin, 70, Bye::UnknownType}, {Kind::UpdateData, 5, Bye::UnknownType},
        {static_cast<Kind>(100), 3, Bye::UnknownType}, {Kind::Ping, 7, Bye::Malformed},
        {Kind::Control, 4, Bye::Malformed},
    };
    for (const auto& wrong : cases) {
        Rig rig;
        rig.open();
        rig.hub.say(wrong.kind, one, wrong.count);
        rig.expect_end(wrong.reason, true);
    }
    Rig rig;
    rig.open();
    rig.hub.say(static_cast<Kind>(200), one, 3);
    CHECK(rig.link.poll(0));
}

TEST("limits, numbers, MACs and headers are checked before anything else") {
    uint8_t raw[kHeaderLen + 9 + kMacLen] = {};
    const struct {
        Header header;
        Bye reason;
    } cases[] = {
        {{Kind::Control, true, false, 2, 0, 1025}, Bye::TooLarge},
        {{Kind::UpdateData, true, false, 2, 0, 4097}, Bye::TooLarge},
        {{Kind::Frame, true, false, 2, 0, 20}, Bye::Unexpected},
        {{Kind::Ping, true, false, 2, 0, 8}, Bye::BadMac},
        {{Kind::Ping, false, false, 2, 0, 8}, Bye::BadMac},
        {{Kind::Ping, true, false, 3, 0, 8}, Bye::OutOfSequence},
        {{Kind::Ping, false, true, 2, 0, 8}, Bye::Malformed},
    };
    for (const auto& wrong : cases) {
        Rig rig;
        rig.open();
        put(wrong.header, raw);
        rig.hub.say_raw(raw, sizeof raw);
        rig.expect_end(wrong.reason, true);
    }
    Rig rig;
    rig.open();
    raw[0] = 'X';
    rig.hub.say_raw(raw, sizeof raw);
    rig.expect_end(Bye::Malformed, true);
}

TEST("the hub's BYE ends a session without another") {
    Rig rig;
    rig.open();
    const uint8_t code = static_cast<uint8_t>(Bye::KeyChanged);
    rig.hub.say(Kind::Bye, &code, 1);
    rig.expect_end(Bye::KeyChanged, false);
}

TEST("no bytes of a hub do harm") {
    uint32_t random = 12345;
    for (int round = 0; round < 300; round++) {
        Rig rig;
        rig.open();
        uint8_t raw[200];
        for (size_t at = 0; at < sizeof raw; at++) {
            random = random * 1664525 + 1013904223;
            raw[at] = static_cast<uint8_t>(random >> 24);
        }
        const uint32_t length = raw[1] % 150;
        if (round % 2 == 0) put(Header{static_cast<Kind>(raw[0]), true, false, 2, 0, length}, raw);
        rig.hub.say_raw(raw, sizeof raw);
        CHECK(!rig.link.poll(0));
    }
}

TEST("the reasons have the names of WIRE.md") {
    CHECK(strcmp(name(Bye::Done), "done") == 0 && strcmp(name(Bye::Internal), "internal") == 0);
    CHECK(strcmp(name(Bye::Unproven), "unproven") == 0 && strcmp(name(Bye::Idle), "idle") == 0);
    CHECK(strcmp(name(Bye::Lost), "lost") == 0 && strcmp(name(static_cast<Bye>(99)), "other") == 0);
}
