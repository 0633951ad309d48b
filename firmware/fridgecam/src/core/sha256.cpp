#include "sha256.h"

#include <string.h>

namespace larder {

namespace {

const uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

inline uint32_t turn(uint32_t value, int by) { return value >> by | value << (32 - by); }

}  // namespace

Sha256::Sha256()
    : state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19},
      count_(0) {}

void Sha256::block(const uint8_t* data) {
    // The schedule as a ring of 16 words: the board's tasks have small stacks.
    uint32_t words[16];
    uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3];
    uint32_t e = state_[4], f = state_[5], g = state_[6], h = state_[7];
    for (int at = 0; at < 64; at++) {
        if (at < 16) {
            words[at] = static_cast<uint32_t>(data[4 * at]) << 24 | static_cast<uint32_t>(data[4 * at + 1]) << 16 |
                        static_cast<uint32_t>(data[4 * at + 2]) << 8 | data[4 * at + 3];
        } else {
            const uint32_t early = words[(at + 1) & 15], late = words[(at + 14) & 15];
            words[at & 15] += (turn(early, 7) ^ turn(early, 18) ^ early >> 3) + words[(at + 9) & 15] +
                              (turn(late, 17) ^ turn(late, 19) ^ late >> 10);
        }
        const uint32_t one =
            h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + kRound[at] + words[at & 15];
        const uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d + one;
        d = c;
        c = b;
        b = a;
        a = one + two;
    }
    const uint32_t sums[8] = {a, b, c, d, e, f, g, h};
    for (int at = 0; at < 8; at++) state_[at] += sums[at];
}

void Sha256::update(const void* data, size_t count) {
    const uint8_t* from = static_cast<const uint8_t*>(data);
    size_t pending = static_cast<size_t>(count_ % 64);
    count_ += count;
    while (count > 0) {
        if (pending == 0 && count >= 64) {
            block(from);
            from += 64;
            count -= 64;
            continue;
        }
        const size_t taken = count < 64 - pending ? count : 64 - pending;
        memcpy(pending_ + pending, from, taken);
        from += taken;
        count -= taken;
        pending += taken;
        if (pending == 64) {
            block(pending_);
            pending = 0;
        }
    }
}

void Sha256::finish(uint8_t digest[kDigestLen]) {
    const uint64_t bits = count_ * 8;
    uint8_t end[72] = {0x80};
    const size_t pending = static_cast<size_t>(count_ % 64);
    const size_t zeros = (pending < 56 ? 56 : 120) - pending;
    for (int at = 0; at < 8; at++) end[zeros + at] = static_cast<uint8_t>(bits >> (56 - 8 * at));
    update(end, zeros + 8);
    for (int at = 0; at < 32; at++) digest[at] = static_cast<uint8_t>(state_[at / 4] >> (24 - 8 * (at % 4)));
}

Hmac::Hmac(const uint8_t* key, size_t count) {
    uint8_t pad[64] = {0};
    if (count > sizeof pad) {
        Sha256 hash;
        hash.update(key, count);
        hash.finish(pad);
    } else {
        memcpy(pad, key, count);
    }
    for (size_t at = 0; at < sizeof pad; at++) pad[at] ^= 0x36;
    inner_.update(pad, sizeof pad);
    for (size_t at = 0; at < sizeof pad; at++) pad[at] ^= 0x36 ^ 0x5c;
    outer_.update(pad, sizeof pad);
}

Hmac& Hmac::update(const void* data, size_t count) {
    inner_.update(data, count);
    return *this;
}

void Hmac::finish(uint8_t mac[kDigestLen]) {
    uint8_t digest[kDigestLen];
    inner_.finish(digest);
    outer_.update(digest, sizeof digest);
    outer_.finish(mac);
}

bool is_equal(const uint8_t* one, const uint8_t* other, size_t count) {
    volatile uint8_t differs = 0;
    for (size_t at = 0; at < count; at++) differs = static_cast<uint8_t>(differs | (one[at] ^ other[at]));
    return differs == 0;
}

}  // namespace larder
