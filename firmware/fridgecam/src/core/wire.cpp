#include "wire.h"

#include "crc32.h"

namespace larder {

namespace {

constexpr uint8_t kFlagMac = 1;
constexpr uint8_t kFlagCrc = 2;

}  // namespace

Bye bye_of(const uint8_t* payload, size_t count) {
    // Two codes mean something else here: nobody may send them.
    if (count != 1 || payload[0] >= static_cast<uint8_t>(Bye::Lost)) return Bye::Malformed;
    return static_cast<Bye>(payload[0]);
}

const char* name(Bye reason) {
    static const char* const names[] = {
        "done", "hub-stopping", "replaced", "key-changed", "camera-removed", "unknown-camera", "unproven", "version",
        "malformed", "unknown-type", "too-large", "out-of-sequence", "bad-mac", "idle", "unexpected",
        "handshake-too-slow", "busy", "restarting", "internal",
    };
    if (reason == Bye::Lost) return "lost";
    const size_t at = static_cast<size_t>(reason);
    return at < sizeof names / sizeof names[0] ? names[at] : "other";
}

bool is_said(Bye reason) {
    return reason != Bye::Lost && reason != Bye::None && reason != Bye::Idle && reason != Bye::HandshakeTooSlow;
}

bool is_refusal(Bye reason) {
    return reason == Bye::KeyChanged || reason == Bye::CameraRemoved || reason == Bye::UnknownCamera ||
           reason == Bye::Unproven || reason == Bye::Version;
}

void put(const Header& header, uint8_t to[kHeaderLen]) {
    Writer out(to, kHeaderLen);
    out.u32(kMagic);
    out.u8(static_cast<uint8_t>(header.kind));
    out.u8(static_cast<uint8_t>((header.mac ? kFlagMac : 0) | (header.crc ? kFlagCrc : 0)));
    out.u16(0);
    out.u32(header.seq);
    out.u64(header.t_us);
    out.u32(header.length);
}

bool parse(const uint8_t from[kHeaderLen], Header* header) {
    Reader in(from, kHeaderLen);
    const uint32_t magic = in.u32();
    header->kind = static_cast<Kind>(in.u8());
    const uint8_t flags = in.u8();
    const uint16_t reserved = in.u16();
    header->mac = (flags & kFlagMac) != 0;
    header->crc = (flags & kFlagCrc) != 0;
    header->seq = in.u32();
    header->t_us = in.u64();
    header->length = in.u32();
    return magic == kMagic && (flags & ~(kFlagMac | kFlagCrc)) == 0 && reserved == 0;
}

void Inbox::clear() {
    size_ = 0;
    taken_ = 0;
    proven_ = false;
}

uint8_t* Inbox::room(size_t* count) {
    if (taken_ > 0) {
        memmove(bytes_, bytes_ + taken_, size_ - taken_);
        size_ -= taken_;
        taken_ = 0;
    }
    *count = sizeof bytes_ - size_;
    return bytes_ + size_;
}

uint32_t Inbox::limit(Kind kind) const {
    if (!proven_) return kMostHandshake;
    return kind == Kind::UpdateData ? kMostUpdateData : kMostOther;
}

bool Inbox::next(Packet* packet, Bye* fault) {
    *fault = Bye::None;
    const uint8_t* from = bytes_ + taken_;
    const size_t there = size_ - taken_;
    if (there < kHeaderLen) return false;
    Header& header = packet->header;
    if (!parse(from, &header)) {
        *fault = Bye::Malformed;
        return false;
    }
    if (header.kind == Kind::Frame || header.length > limit(header.kind)) {
        // A hub has no pictures for a camera.
        *fault = header.kind == Kind::Frame ? Bye::Unexpected : Bye::TooLarge;
        return false;
    }
    const size_t whole = kHeaderLen + header.length + header.trailer_len();
    if (there < whole) return false;
    packet->raw_header = from;
    packet->payload = from + kHeaderLen;
    packet->mac = header.mac ? packet->payload + header.length : nullptr;
    packet->is_intact = true;
    if (header.crc) {
        Reader crc(from + whole - kCrcLen, kCrcLen);
        packet->is_intact = crc.u32() == crc32(0, from, whole - kCrcLen);
    }
    taken_ += whole;
    return true;
}

}  // namespace larder
