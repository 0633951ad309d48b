#include "reading.h"

namespace larder {

namespace {

constexpr uint32_t kReadingMagic = 0x4c525431;  // "LRT1"

Hmac reading_key(const uint8_t key[kKeyLen], const uint8_t camera[kUuidLen]) {
    uint8_t derived[kDigestLen];
    Hmac(key, kKeyLen).update("U", 1).update(camera, kUuidLen).finish(derived);
    return Hmac(derived, sizeof derived);
}

}  // namespace

ReadingSigner::ReadingSigner(const uint8_t key[kKeyLen], const uint8_t camera[kUuidLen], uint32_t boot)
    : key_(reading_key(key, camera)), boot_(boot), seq_(0) {
    memcpy(camera_, camera, kUuidLen);
}

uint32_t ReadingSigner::sign(uint8_t probe, ProbeStatus status, int32_t value, uint64_t t_us,
                             uint8_t to[kDatagramLen]) {
    Writer out(to, kSignedLen);
    out.u32(kReadingMagic);
    out.u8(1);
    out.u8(static_cast<uint8_t>(status));
    out.u8(probe);
    out.u8(0);
    out.bytes(camera_, sizeof camera_);
    out.u32(boot_);
    out.u32(++seq_);
    out.u64(t_us);
    out.i32(status == ProbeStatus::Measured ? value : kNoValue);
    uint8_t mac[kDigestLen];
    Hmac key = key_;
    key.update(to, kSignedLen).finish(mac);
    memcpy(to + kSignedLen, mac, kMacLen);
    return seq_;
}

}  // namespace larder
