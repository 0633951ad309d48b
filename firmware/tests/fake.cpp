#include "fake.h"

using namespace larder;

namespace fake {

AckResult Board::obey(const Control& control, Remark* remark) {
    last = control;
    remark->set("as told");
    return answer;
}

bool Hub::connect(const Place& to, uint32_t timeout_ms) {
    dialled = to;
    dials++;
    const bool is_there = is_reachable && (only.port == 0 || memcmp(&only, &to, sizeof to) == 0);
    board_->time_us += 1000ull * (is_there ? connect_ms : timeout_ms);
    is_open = is_there;
    step_ = 0;
    seq_ = 0;
    from_camera_len = to_camera_len_ = to_camera_taken_ = transcript_len_ = said_after_challenge = 0;
    return is_open;
}

bool Hub::send(const Part* parts, size_t count, const SendLimits& limits, uint32_t* stall_ms) {
    *stall_ms = is_stalled ? limits.still_ms : 0;
    if (is_stalled) board_->time_us += limits.still_ms * 1000;
    if (!is_open || is_stalled) return false;
    const uint32_t took_ms = send_ms < limits.total_ms ? send_ms : limits.total_ms;
    board_->time_us += took_ms * 1000;
    if (took_ms == limits.total_ms) return false;
    for (size_t at = 0; at < count; at++) {
        CHECK(from_camera_len + parts[at].count <= sizeof from_camera);
        memcpy(from_camera + from_camera_len, parts[at].data, parts[at].count);
        from_camera_len += parts[at].count;
    }
    answer();
    return true;
}

int Hub::receive(uint8_t* to, size_t room, uint32_t wait_ms) {
    if (!is_open) return -1;
    if (never_silent_ms > 0 && to_camera_len_ == to_camera_taken_) {
        board_->time_us += never_silent_ms * 1000;
        to_camera_len_ = to_camera_taken_ = from_camera_len = 0;
        say(Kind::Ping, "12345678", 8);
    }
    size_t count = to_camera_len_ - to_camera_taken_;
    if (count > room) count = room;
    if (count > piece) count = piece;
    if (count == 0) board_->time_us += wait_ms * 1000;
    memcpy(to, to_camera_ + to_camera_taken_, count);
    to_camera_taken_ += count;
    return static_cast<int>(count);
}

void Hub::say_raw(const uint8_t* bytes, size_t count) {
    CHECK(to_camera_len_ + count <= sizeof to_camera_);
    memcpy(to_camera_ + to_camera_len_, bytes, count);
    to_camera_len_ += count;
}

void Hub::say(Kind kind, const void* payload, size_t count) {
    uint8_t out[kMostHeard];
    put(Header{kind, true, false, seq_++, 0, static_cast<uint32_t>(count)}, out);
    memcpy(out + kHeaderLen, payload, count);
    uint8_t mac[kDigestLen];
    Hmac key = hub_key_;
    key.update(out, kHeaderLen + count).finish(mac);
    memcpy(out + kHeaderLen + count, mac, kMacLen);
    say_raw(out, kHeaderLen + count + kMacLen);
}

void Hub::answer() {
    uint8_t out[kHeaderLen + kChallengeLen] = {};
    if (step_ == 0) {
        step_ = 1;
        memcpy(transcript_, from_camera, from_camera_len);
        transcript_len_ = from_camera_len;
        if (early_bye >= 0) {
            put(Header{Kind::Bye, false, false, 0, 0, 1}, out);
            out[kHeaderLen] = static_cast<uint8_t>(early_bye);
            say_raw(out, kHeaderLen + 1);
            return;
        }
        put(Header{Kind::Challenge, false, false, seq_++, 0, kChallengeLen}, out);
        out[kHeaderLen] = kVersion;
        memcpy(transcript_ + transcript_len_, out, kHeaderLen + 25);
        transcript_len_ += kHeaderLen + 25;
        Hmac key = key_;
        key.update("S", 1).update(transcript_, transcript_len_).finish(out + kHeaderLen + 25);
        memcpy(transcript_ + transcript_len_, out + kHeaderLen + 25, kProofLen);
        transcript_len_ += kProofLen;
        say_raw(out, sizeof out);
        said_after_challenge = from_camera_len;
    } else if (step_ == 1) {
        step_ = 2;
        if (bye_after_auth >= 0) {
            put(Header{Kind::Bye, false, false, 1, 0, 1}, out);
            out[kHeaderLen] = static_cast<uint8_t>(bye_after_auth);
            say_raw(out, kHeaderLen + 1);
            return;
        }
        const uint8_t* proof = from_camera + from_camera_len - kProofLen;
        uint8_t derived[kDigestLen];
        Hmac key = key_;
        key.update("KC", 2).update(transcript_, transcript_len_).update(proof, kProofLen).finish(derived);
        camera_key_ = Hmac(derived, sizeof derived);
        key = key_;
        key.update("KS", 2).update(transcript_, transcript_len_).update(proof, kProofLen).finish(derived);
        hub_key_ = Hmac(derived, sizeof derived);
        Writer welcome(out, sizeof out);
        welcome.u16(800);
        welcome.u16(600);
        const uint8_t wanted[] = {10, 8, 2, 1};
        welcome.bytes(wanted, sizeof wanted);
        welcome.u32(5000);
        welcome.u32(30000);
        welcome.u32(largest_frame);
        say(Kind::Welcome, out, welcome.size());
    }
}

bool Hub::heard(Kind kind, Packet* packet) {
    bool found = false;
    size_t at = 0;
    uint32_t seq = 0;
    while (from_camera_len - at >= kHeaderLen) {
        Header header;
        CHECK(parse(from_camera + at, &header));
        CHECK_EQ(header.seq, seq++);
        const uint8_t* payload = from_camera + at + kHeaderLen;
        if (header.mac) {
            uint8_t mac[kDigestLen];
            Hmac key = camera_key_;
            key.update(from_camera + at, kHeaderLen + header.length).finish(mac);
            CHECK(is_equal(mac, payload + header.length, kMacLen));
        }
        if (header.kind == kind) {
            *packet = Packet{header, from_camera + at, payload, nullptr, true};
            found = true;
        }
        at += kHeaderLen + header.length + header.trailer_len();
    }
    return found;
}

}  // namespace fake
