// One session, byte for byte as in proto/vectors.
#include "../fridgecam/src/core/reading.h"
#include "../fridgecam/src/core/update.h"
#include "vectors.h"

using namespace larder;
using vectors::Vector;

namespace {

const uint8_t kPicture[] = {0xff, 0xd8, 0xff, 0xd9};

size_t join(const FramePacket& packet, uint8_t* to) {
    memcpy(to, packet.head, sizeof packet.head);
    memcpy(to + sizeof packet.head, packet.jpeg, packet.jpeg_len);
    memcpy(to + sizeof packet.head + packet.jpeg_len, packet.trailer, packet.trailer_len);
    return sizeof packet.head + packet.jpeg_len + packet.trailer_len;
}

Control control(Session* session, const char* name) {
    const Vector vector(name);
    const Packet packet = vectors::packet(vector);
    CHECK_EQ(session->receive(packet), Bye::None);
    Control control = {};
    Reader in(packet.payload, packet.header.length);
    CHECK(control.parse(&in));
    return control;
}

}  // namespace

TEST("what a camera says is as in the vectors") {
    Session session = vectors::session();
    uint8_t out[kMostSaid];
    FramePacket frame;
    session.frame(FrameInfo{0, 640, 480, 12, kFrameSnapshot | kFrameFlash, 4}, 2000000, kPicture, 4, &frame);
    CHECK(vectors::is(out, join(frame, out), "frame-mac"));

    // The vector's second frame carries a CRC, which this camera never sends: all but flag and CRC are the same.
    session.frame(FrameInfo{2, 640, 480, 12, 0, 65535}, 2100000, kPicture, 4, &frame);
    const Vector with_crc("frame-crc");
    out[join(frame, out)] = 0;
    CHECK_EQ(frame.trailer_len, 0);
    CHECK_EQ(with_crc.bytes[5], 2);
    out[5] = 2;
    CHECK(memcmp(out, with_crc.bytes, with_crc.count - kCrcLen) == 0);

    Telemetry telemetry = {};
    telemetry.uptime_s = 3600;
    telemetry.heap_free = 81920;
    telemetry.heap_min_free = 65536;
    telemetry.heap_largest_block = 40960;
    telemetry.psram_free = 2097152;
    telemetry.chip = 53333;
    telemetry.frames_captured = 36000;
    telemetry.frames_sent = 35990;
    telemetry.frames_dropped = 10;
    telemetry.frames_corrupt = 3;
    telemetry.longest_send_stall_ms = 1250;
    telemetry.reconnects = 2;
    telemetry.rssi_dbm = -61;
    telemetry.reset_reason = 9;
    telemetry.reading_count = 2;
    telemetry.readings[0] = Reading{0, 120, 1990000, -18125, 1};
    telemetry.readings[1] = Reading{1, 119, 1991000, kNoValue, 77};
    Writer payload(out + kHeaderLen, kMostTelemetry);
    telemetry.put(&payload);
    CHECK(vectors::is(out, session.seal(Kind::Telemetry, 2150000, payload.size(), out), "telemetry"));

    Session another = vectors::session();
    telemetry.tenths_fps = 75;
    telemetry.quality = 18;
    Writer longer(out + kHeaderLen, kMostTelemetry);
    telemetry.put(&longer);
    CHECK(vectors::is(out, another.seal(Kind::Telemetry, 2160000, longer.size(), out), "telemetry-pace"));
}

TEST("every command is read as in the vectors") {
    Session session = vectors::session();
    Control read = control(&session, "control-size");
    CHECK_EQ(read.id, 100);
    CHECK(read.command == Command::Size && read.width == 1600 && read.height == 1200);
    read = control(&session, "control-quality");
    CHECK(read.command == Command::Quality && read.quality == 10);
    read = control(&session, "control-rate");
    CHECK(read.command == Command::Rate && read.active_fps == 15 && read.idle_fps == 1);
    read = control(&session, "control-register");
    CHECK(read.command == Command::Register && read.value == -2);
    CHECK(strcmp(kSettingNames[read.setting - 1], "vflip") == 0);
    read = control(&session, "control-flash");
    CHECK(read.command == Command::Flash && read.level == 255);
    read = control(&session, "control-snapshot");
    CHECK(read.command == Command::Snapshot);
    read = control(&session, "control-pan-tilt");
    CHECK(read.command == Command::PanTilt && read.pan == -45 && read.tilt == 30);
    read = control(&session, "control-reboot");
    CHECK(read.command == Command::Reboot && read.id == 107);

    const Vector ping("ping");
    CHECK_EQ(session.receive(vectors::packet(ping)), Bye::None);
    const Vector bye("bye");
    const Packet packet = vectors::packet(bye);
    CHECK_EQ(session.receive(packet), Bye::None);
    CHECK_EQ(bye_of(packet.payload, packet.header.length), Bye::Replaced);
}

TEST("datagrams are as in the vectors") {
    uint8_t out[kDatagramLen];
    ReadingSigner signer(vectors::kKey, vectors::kCamera, 7);
    CHECK_EQ(signer.sign(0, ProbeStatus::Measured, 0, 0, out), 1);
    signer.resume(118);
    CHECK_EQ(signer.sign(1, ProbeStatus::Silent, 20000, 1991000, out), 119);
    CHECK(vectors::is(out, sizeof out, "reading-silent"));
    CHECK_EQ(signer.sign(0, ProbeStatus::Measured, -18125, 1990000, out), 120);
    CHECK(vectors::is(out, sizeof out, "reading"));
}

TEST("a message of an update is read as in the vectors, and its answer written") {
    Session session = vectors::session();
    const Vector vector("update-begin");
    Packet packet = vectors::packet(vector);
    CHECK_EQ(session.receive(packet), Bye::None);
    UpdateBegin begin;
    Reader in(packet.payload, packet.header.length);
    CHECK(begin.parse(&in));
    CHECK_EQ(begin.length, 5000);
    CHECK(!begin.forced && strcmp(begin.version, "1.1.0") == 0);
    uint8_t image[5000], digest[kDigestLen];
    for (size_t at = 0; at < sizeof image; at++) image[at] = static_cast<uint8_t>(at * 7 + 3);
    Sha256 hash;
    hash.update(image, sizeof image);
    hash.finish(digest);
    CHECK(is_equal(begin.sha256, digest, sizeof digest));

    packet = vectors::packet(Vector("update-data"));
    CHECK_EQ(session.receive(packet), Bye::None);
    CHECK_EQ(packet.header.length, 44);
    CHECK(memcmp(packet.payload + 4, image, 40) == 0);

    uint8_t out[kMostSaid];
    Remark remark;
    Writer status(out + kHeaderLen, sizeof out - kHeaderLen);
    put_update_status(UpdateResult::Receiving, 40, remark, &status);
    CHECK(vectors::is(out, session.seal(Kind::UpdateStatus, 2300000, status.size(), out), "update-status"));
    remark.set("1.2.0 is newer");
    Writer refused(out + kHeaderLen, sizeof out - kHeaderLen);
    put_update_status(UpdateResult::Older, 0, remark, &refused);
    CHECK(vectors::is(out, session.seal(Kind::UpdateStatus, 2300001, refused.size(), out), "update-status-refused"));
}
