#include "session.h"

namespace larder {

namespace {

Hmac direction_key(Hmac derived) {
    uint8_t key[kDigestLen];
    derived.finish(key);
    return Hmac(key, sizeof key);
}

/// What a message of a handshake must look like: the proofs cover it, so it carries nothing else.
Bye expect(const Packet& packet, Kind kind, uint32_t seq) {
    const Header& header = packet.header;
    if (header.kind == Kind::Bye) return bye_of(packet.payload, header.length);
    if (header.kind != kind || header.seq != seq) return Bye::Unexpected;
    return header.mac || !packet.is_intact ? Bye::Malformed : Bye::None;
}

}  // namespace

Hmac Session::label(const char* label) const {
    Hmac mac = camera_key_;
    mac.update(label, strlen(label)).update(transcript_, transcript_len_);
    return mac;
}

size_t Session::hello(const Hello& hello, uint64_t t_us, uint8_t to[kMostHelloMessage]) {
    Writer out(to + kHeaderLen, kMostHello);
    hello.put(&out);
    const Header header = {Kind::Hello, false, false, 0, t_us, static_cast<uint32_t>(out.size())};
    put(header, to);
    transcript_len_ = kHeaderLen + out.size();
    memcpy(transcript_, to, transcript_len_);
    has_keys_ = false;
    said_ = 1;
    heard_ = 0;
    frames_ = 0;
    return transcript_len_;
}

Bye Session::challenge(const Packet& packet, uint64_t t_us, uint8_t to[kAuthMessageLen], HubProof* hub) {
    const Bye fault = expect(packet, Kind::Challenge, 0);
    if (fault != Bye::None) return fault;
    if (packet.header.length != kChallengeLen) return Bye::Malformed;
    heard_ = 1;
    const size_t unproven = kChallengeLen - kProofLen;
    memcpy(transcript_ + transcript_len_, packet.raw_header, kHeaderLen);
    memcpy(transcript_ + transcript_len_ + kHeaderLen, packet.payload, unproven);
    transcript_len_ += kHeaderLen + unproven;
    uint8_t proof[kProofLen];
    label("S").finish(proof);
    if (!is_equal(proof, packet.payload + unproven, kProofLen)) return Bye::Unproven;
    memcpy(transcript_ + transcript_len_, proof, kProofLen);
    transcript_len_ += kProofLen;

    Reader in(packet.payload, unproven);
    hub->version = in.u8();
    uint8_t nonce[kNonceLen];
    in.bytes(nonce, sizeof nonce);
    hub->unix_us = in.u64();
    if (hub->version != kVersion) return Bye::Version;

    uint8_t* own = to + kHeaderLen;
    label("C").finish(own);
    const Header header = {Kind::Auth, false, false, said_++, t_us, kProofLen};
    put(header, to);
    says_ = direction_key(label("KC").update(own, kProofLen));
    hears_ = direction_key(label("KS").update(own, kProofLen));
    has_keys_ = true;
    return Bye::None;
}

Bye Session::welcome(const Packet& packet, Welcome* welcome) {
    if (packet.header.kind == Kind::Bye && !packet.header.mac) return expect(packet, Kind::Welcome, 1);
    const Bye fault = receive(packet);
    if (fault != Bye::None) return fault;
    if (packet.header.kind == Kind::Bye) return expect(packet, Kind::Welcome, 1);
    if (packet.header.kind != Kind::Welcome) return Bye::Unexpected;
    Reader in(packet.payload, packet.header.length);
    if (!welcome_.parse(&in)) return Bye::Malformed;
    *welcome = welcome_;
    return Bye::None;
}

Bye Session::receive(const Packet& packet) {
    if (packet.header.seq != heard_) return Bye::OutOfSequence;
    heard_++;
    if (!packet.is_intact) return Bye::Malformed;
    if (packet.mac == nullptr) return Bye::BadMac;
    uint8_t mac[kDigestLen];
    Hmac hears = hears_;
    hears.update(packet.raw_header, kHeaderLen).update(packet.payload, packet.header.length).finish(mac);
    return is_equal(mac, packet.mac, kMacLen) ? Bye::None : Bye::BadMac;
}

size_t Session::seal(Kind kind, uint64_t t_us, size_t payload_len, uint8_t* to) {
    const Header header = {kind, true, false, said_++, t_us, static_cast<uint32_t>(payload_len)};
    put(header, to);
    uint8_t mac[kDigestLen];
    Hmac says = says_;
    says.update(to, kHeaderLen + payload_len).finish(mac);
    memcpy(to + kHeaderLen + payload_len, mac, kMacLen);
    return kHeaderLen + payload_len + kMacLen;
}

void Session::frame(const FrameInfo& info, uint64_t t_us, const uint8_t* jpeg, size_t jpeg_len, FramePacket* packet) {
    const bool mac = welcome_.asks_mac(frames_++);
    const Header header = {Kind::Frame, mac, false, said_++, t_us, static_cast<uint32_t>(kFramePrefixLen + jpeg_len)};
    put(header, packet->head);
    Writer out(packet->head + kHeaderLen, kFramePrefixLen);
    info.put(&out);
    packet->jpeg = jpeg;
    packet->jpeg_len = jpeg_len;
    packet->trailer_len = mac ? kMacLen : 0;
    if (mac) {
        uint8_t whole[kDigestLen];
        Hmac says = says_;
        says.update(packet->head, sizeof packet->head).update(jpeg, jpeg_len).finish(whole);
        memcpy(packet->trailer, whole, kMacLen);
    }
}

size_t Session::bye(Bye reason, uint64_t t_us, uint8_t to[kHeaderLen + 1 + kMacLen]) {
    to[kHeaderLen] = static_cast<uint8_t>(reason);
    if (has_keys_) return seal(Kind::Bye, t_us, 1, to);
    const Header header = {Kind::Bye, false, false, said_++, t_us, 1};
    put(header, to);
    return kHeaderLen + 1;
}

}  // namespace larder
