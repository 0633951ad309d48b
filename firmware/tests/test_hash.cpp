// SHA-256, HMAC and CRC-32 against published values.
#include "../fridgecam/src/core/crc32.h"
#include "../fridgecam/src/core/sha256.h"
#include "../fridgecam/src/core/console.h"
#include "check.h"

using namespace larder;

namespace {

bool is(const uint8_t digest[kDigestLen], const char* hex) {
    uint8_t expected[kDigestLen];
    return parse_hex(hex, expected, sizeof expected) && is_equal(digest, expected, sizeof expected);
}

bool hashes_to(const char* text, const char* hex) {
    uint8_t digest[kDigestLen];
    Sha256 hash;
    hash.update(text, strlen(text));
    hash.finish(digest);
    return is(digest, hex);
}

}  // namespace

TEST("SHA-256 gives the examples of FIPS 180") {
    CHECK(hashes_to("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    CHECK(hashes_to("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK(hashes_to("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"));
}

TEST("SHA-256 is the same however the bytes are cut") {
    uint8_t data[200], whole[kDigestLen], pieces[kDigestLen];
    for (size_t at = 0; at < sizeof data; at++) data[at] = static_cast<uint8_t>(at * 37);
    for (size_t count = 0; count <= sizeof data; count++) {
        Sha256 one, other;
        one.update(data, count);
        one.finish(whole);
        for (size_t at = 0; at < count;) {
            const size_t piece = at % 7 + 1 < count - at ? at % 7 + 1 : count - at;
            other.update(data + at, piece);
            at += piece;
        }
        other.finish(pieces);
        CHECK(is_equal(whole, pieces, kDigestLen));
    }
}

TEST("HMAC gives the examples of RFC 4231, a long key too") {
    uint8_t key[131], mac[kDigestLen];
    memset(key, 0x0b, 20);
    Hmac(key, 20).update("Hi There", 8).finish(mac);
    CHECK(is(mac, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    memset(key, 0xaa, sizeof key);
    const char* text = "Test Using Larger Than Block-Size Key - Hash Key First";
    Hmac(key, sizeof key).update(text, strlen(text)).finish(mac);
    CHECK(is(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
}

TEST("a copied HMAC key serves any number of messages") {
    const uint8_t key[4] = {'J', 'e', 'f', 'e'};
    const Hmac fresh(key, sizeof key);
    for (int round = 0; round < 2; round++) {
        uint8_t mac[kDigestLen];
        Hmac copy = fresh;
        copy.update("what do ya want ", 16).update("for nothing?", 12).finish(mac);
        CHECK(is(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    }
}

TEST("the checksum is zlib's") {
    const uint8_t digits[] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    CHECK_EQ(crc32(0, digits, 9), 0xcbf43926);
    CHECK_EQ(crc32(crc32(0, digits, 4), digits + 4, 5), 0xcbf43926);
}
