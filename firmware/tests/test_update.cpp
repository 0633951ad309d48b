// Updates: what is refused, and what ends in a new image.
#include "fake.h"

using namespace larder;

namespace {

class Slot : public UpdateSlot {
public:
    uint32_t capacity() override { return sizeof flash; }
    bool begin(uint32_t) override {
        size = 0;
        is_active = is_discarded = false;
        return true;
    }
    bool write(const uint8_t* data, size_t count) override {
        if (is_broken) return false;
        memcpy(flash + size, data, count);
        size += count;
        return true;
    }
    bool activate() override { return is_active = is_bootable; }
    void discard() override { is_discarded = true; }

    uint8_t flash[10000];
    size_t size = 0;
    bool is_active = false;
    bool is_discarded = false;
    bool is_broken = false;
    bool is_bootable = true;
};

struct Image {
    uint8_t bytes[10001];
    uint8_t payload[kMostOther];
    size_t payload_len;

    /// Describes its first bytes and signs that.
    UpdateBegin begin(uint32_t length, const char* version, bool forced, const uint8_t* key = vectors::kKey) {
        for (size_t at = 0; at < sizeof bytes; at++) bytes[at] = static_cast<uint8_t>(at * 7 + 3);
        uint8_t digest[kDigestLen];
        Sha256 hash;
        hash.update(bytes, length);
        hash.finish(digest);
        Writer out(payload, sizeof payload);
        out.u32(length);
        out.bytes(digest, sizeof digest);
        out.u8(forced ? 1 : 0);
        out.text(version, kMostVersion);
        uint8_t proof[kDigestLen];
        Hmac mac(key, kKeyLen);
        mac.update("UP", 2).update(vectors::kCamera, kUuidLen).update(payload, out.size()).finish(proof);
        out.bytes(proof, sizeof proof);
        payload_len = out.size();
        UpdateBegin begin;
        Reader in(payload, payload_len);
        CHECK(begin.parse(&in));
        return begin;
    }
};

struct Rig {
    Slot slot;
    UpdateReceiver update{vectors::kKey, vectors::kCamera, "1.2.0", &slot};
    Image image;
    Remark remark;

    UpdateResult begin(uint32_t length, const char* version, bool forced = false) {
        return update.begin(image.begin(length, version, forced), &remark);
    }
    UpdateResult data(uint32_t offset, size_t count) {
        return update.data(offset, image.bytes + offset, count, &remark);
    }
};

const uint8_t kOtherKey[kKeyLen] = {9};

}  // namespace

TEST("versions are compared by their numbers") {
    CHECK(is_older("1.2.0", "1.10.0") && !is_older("1.10.0", "1.2.0"));
    CHECK(!is_older("1.2", "1.2.0") && is_older("1.2", "1.2.0.1") && is_older("0.9.9", "1"));
    const char* const nones[] = {"", "1.", ".1", "1..2", "v1", "1.2.3.4.5", "1-beta", "9999999999"};
    for (const char* none : nones) {
        CHECK(is_older(none, "1.0.0") && is_older("1.0.0", none));
    }
}

TEST("an image that comes whole and right is installed") {
    Rig rig;
    CHECK(rig.begin(5000, "1.2.1") == UpdateResult::Receiving);
    CHECK(rig.data(0, 4092) == UpdateResult::Receiving);
    CHECK_EQ(rig.update.next_offset(), 4092);
    CHECK(rig.data(4092, 908) == UpdateResult::Receiving);
    CHECK(rig.update.end(true, &rig.remark) == UpdateResult::Installed);
    CHECK(rig.slot.is_active && rig.slot.size == 5000);
    CHECK(memcmp(rig.slot.flash, rig.image.bytes, 5000) == 0);
    rig.update.forget();
    CHECK(!rig.slot.is_discarded);
}

TEST("a piece that comes twice or too early is not written, and the answer says where to go on") {
    Rig rig;
    rig.begin(300, "1.3");
    CHECK(rig.data(100, 100) == UpdateResult::Receiving);
    CHECK_EQ(rig.update.next_offset(), 0);
    rig.data(0, 100);
    rig.data(0, 100);
    CHECK_EQ(rig.update.next_offset(), 100);
    rig.data(100, 200);
    CHECK(rig.update.end(true, &rig.remark) == UpdateResult::Installed);
}

TEST("an image is refused when it is too large, empty, older, or not signed with this camera's key") {
    Rig rig;
    CHECK(rig.begin(10001, "2.0") == UpdateResult::WrongSize);
    CHECK(strcmp(rig.remark.text, "the slot takes 10000 bytes") == 0);
    CHECK(rig.begin(0, "2.0") == UpdateResult::WrongSize);
    CHECK(rig.begin(100, "1.1.9") == UpdateResult::Older);
    CHECK(rig.begin(100, "yesterday") == UpdateResult::Older);
    CHECK(rig.begin(100, "1.2.0") == UpdateResult::Receiving);
    CHECK(rig.begin(100, "1.1.9", true) == UpdateResult::Receiving);
    CHECK(rig.update.begin(rig.image.begin(100, "2.0", false, kOtherKey), &rig.remark) == UpdateResult::Unproven);
    UpdateBegin forced = rig.image.begin(100, "0.1", false);
    forced.forced = true;
    rig.image.payload[36] = 1;
    CHECK(rig.update.begin(forced, &rig.remark) == UpdateResult::Unproven);
    CHECK(rig.data(0, 100) == UpdateResult::NotBegun);
    CHECK(rig.update.end(true, &rig.remark) == UpdateResult::NotBegun);
}

TEST("an image that is damaged, cut, too long or not bootable never starts") {
    Rig rig;
    rig.begin(100, "1.3");
    rig.image.bytes[50] ^= 1;
    rig.data(0, 100);
    CHECK(rig.update.end(true, &rig.remark) == UpdateResult::Corrupt);
    CHECK(rig.slot.is_discarded && !rig.slot.is_active);
    rig.begin(100, "1.3");
    rig.data(0, 99);
    CHECK(rig.update.end(true, &rig.remark) == UpdateResult::Corrupt);
    rig.begin(100, "1.3");
    CHECK(rig.data(0, 101) == UpdateResult::WrongSize);
    CHECK(rig.data(0, 100) == UpdateResult::NotBegun);
    rig.slot.is_bootable = false;
    rig.begin(100, "1.3");
    rig.data(0, 100);
    CHECK(rig.update.end(true, &rig.remark) == UpdateResult::Failed);
    rig.slot.is_broken = true;
    rig.begin(100, "1.3");
    CHECK(rig.data(0, 100) == UpdateResult::Failed);
    CHECK(!rig.slot.is_active);
}

TEST("a board without a slot refuses every update") {
    UpdateReceiver update(vectors::kKey, vectors::kCamera, "1.0", nullptr);
    Image image;
    Remark remark;
    CHECK(update.begin(image.begin(100, "2.0", false), &remark) == UpdateResult::Failed);
    CHECK(update.data(0, image.bytes, 10, &remark) == UpdateResult::NotBegun);
}

TEST("an update comes over the link, and the camera starts anew with it") {
    Rig rig;
    fake::Board board;
    fake::Hub hub(&board, vectors::kKey);
    Link link(vectors::kKey, &hub, &board, &rig.update);
    CHECK_EQ(link.open(fake::kHub), Bye::None);
    rig.image.begin(4092, "1.3.0", false);
    hub.say(Kind::UpdateBegin, rig.image.payload, rig.image.payload_len);
    uint8_t piece[kMostUpdateData] = {};
    memcpy(piece + 4, rig.image.bytes, 4092);
    hub.say(Kind::UpdateData, piece, sizeof piece);
    CHECK(link.poll(0));
    Packet packet;
    CHECK(hub.heard(Kind::UpdateStatus, &packet));
    Reader status(packet.payload, packet.header.length);
    CHECK_EQ(status.u8(), UpdateResult::Receiving);
    CHECK_EQ(status.u32(), 4092);
    const uint8_t install = 1;
    hub.say(Kind::UpdateEnd, &install, 1);
    CHECK(!link.poll(0));
    CHECK(rig.slot.is_active && link.wants_restart());
    CHECK_EQ(link.reason(), Bye::Restarting);
}

TEST("a session that ends in between forgets what it had") {
    Rig rig;
    fake::Board board;
    fake::Hub hub(&board, vectors::kKey);
    Link link(vectors::kKey, &hub, &board, &rig.update);
    link.open(fake::kHub);
    rig.image.begin(200, "1.3.0", false);
    hub.say(Kind::UpdateBegin, rig.image.payload, rig.image.payload_len);
    CHECK(link.poll(0) && rig.update.is_running());
    hub.is_open = false;
    CHECK(!link.poll(0));
    CHECK(rig.slot.is_discarded && !rig.update.is_running());
}
