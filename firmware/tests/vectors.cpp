#include "vectors.h"

#include <stdio.h>

#ifndef VECTORS
#define VECTORS "../proto/vectors"
#endif

namespace vectors {

namespace {

int digit(uint8_t character) {
    if (character >= '0' && character <= '9') return character - '0';
    if (character >= 'a' && character <= 'f') return character - 'a' + 10;
    return -1;
}

}  // namespace

const uint8_t kKey[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                        16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
const uint8_t kCamera[] = {0x0f, 0x6f, 0xa3, 0xc0, 0x9d, 0x2b, 0x4c, 0x1e,
                           0x8a, 0x55, 0xd1, 0xa7, 0xe0, 0xc4, 0xb2, 0x91};

Vector::Vector(const char* name) : count(0) {
    static uint8_t text[8192];
    char path[256];
    snprintf(path, sizeof path, VECTORS "/%s.hex", name);
    const long size = platform::read_file(path, text, sizeof text);
    if (size <= 0) check::fail(path, 0, "the vector is there");
    int high = -1;
    bool is_comment = false;
    for (long at = 0; at < size; at++) {
        if (text[at] == '#') is_comment = true;
        if (text[at] == '\n') is_comment = false;
        const int value = is_comment ? -1 : digit(text[at]);
        if (value >= 0 && high >= 0 && count < sizeof bytes) bytes[count++] = static_cast<uint8_t>(high << 4 | value);
        high = value >= 0 && high < 0 ? value : -1;
    }
}

bool is(const uint8_t* found, size_t count, const char* name) {
    const Vector vector(name);
    return count == vector.count && memcmp(found, vector.bytes, count) == 0;
}

larder::Packet packet(const Vector& vector) {
    // Packets point into the inbox; tests use one at a time.
    static larder::Inbox inbox;
    inbox.clear();
    inbox.set_proven();
    size_t room;
    memcpy(inbox.room(&room), vector.bytes, vector.count);
    inbox.add(vector.count);
    larder::Packet packet;
    larder::Bye fault;
    CHECK(inbox.next(&packet, &fault));
    return packet;
}

larder::Hello hello() {
    larder::Hello hello = {};
    memcpy(hello.camera, kCamera, sizeof kCamera);
    for (size_t at = 0; at < sizeof hello.nonce; at++) hello.nonce[at] = static_cast<uint8_t>(0xa0 + at);
    hello.boot = 7;
    hello.reading_boot = 6;
    hello.reading_seq = 1234;
    hello.capabilities = larder::kCanFlash | larder::kHasThermometer;
    hello.reset_reason = 9;
    hello.firmware_version = "1.0.3";
    return hello;
}

larder::Session session() {
    larder::Session session(kKey);
    uint8_t out[larder::kMostHelloMessage];
    CHECK(is(out, session.hello(hello(), 1500000, out), "hello"));
    larder::HubProof hub;
    CHECK_EQ(session.challenge(packet(Vector("challenge")), 1520000, out, &hub), larder::Bye::None);
    CHECK_EQ(hub.unix_us, 1700000000123456);
    CHECK(is(out, larder::kAuthMessageLen, "auth"));
    larder::Welcome welcome;
    CHECK_EQ(session.welcome(packet(Vector("welcome")), &welcome), larder::Bye::None);
    CHECK_EQ(welcome.width, 640);
    CHECK_EQ(welcome.height, 480);
    CHECK_EQ(welcome.quality, 12);
    CHECK_EQ(welcome.active_fps, 10);
    CHECK_EQ(welcome.idle_fps, 2);
    CHECK_EQ(welcome.frame_mac, 2);
    CHECK_EQ(welcome.ping_interval_ms, 5000);
    CHECK_EQ(welcome.telemetry_interval_ms, 30000);
    CHECK_EQ(welcome.largest_frame, 524288);
    return session;
}

}  // namespace vectors
