#include "update.h"

#include <stdio.h>

namespace larder {

namespace {

constexpr int kMostNumbers = 4;

/// False when the text is no version.
bool numbers(const char* text, uint32_t to[kMostNumbers]) {
    for (int at = 0; at < kMostNumbers; at++) to[at] = 0;
    for (int at = 0; at < kMostNumbers; at++) {
        int digits = 0;
        for (; *text >= '0' && *text <= '9'; text++) {
            to[at] = to[at] * 10 + static_cast<uint32_t>(*text - '0');
            // Nine digits fit into 32 bits.
            if (++digits > 9) return false;
        }
        if (digits == 0) return false;
        if (*text == 0) return true;
        if (*text++ != '.') return false;
    }
    return false;
}

Hmac begun(const uint8_t key[kKeyLen], const uint8_t camera[kUuidLen]) {
    Hmac mac(key, kKeyLen);
    mac.update("UP", 2).update(camera, kUuidLen);
    return mac;
}

}  // namespace

bool is_older(const char* one, const char* other) {
    uint32_t left[kMostNumbers], right[kMostNumbers];
    if (!numbers(one, left)) return true;
    if (!numbers(other, right)) return true;
    for (int at = 0; at < kMostNumbers; at++) {
        if (left[at] != right[at]) return left[at] < right[at];
    }
    return false;
}

UpdateReceiver::UpdateReceiver(const uint8_t key[kKeyLen], const uint8_t camera[kUuidLen],
                               const char* running_version, UpdateSlot* slot)
    : key_(begun(key, camera)),
      running_version_(running_version),
      slot_(slot),
      is_running_(false),
      length_(0),
      next_offset_(0) {}

UpdateResult UpdateReceiver::begin(const UpdateBegin& begin, Remark* remark) {
    forget();
    next_offset_ = 0;
    if (slot_ == nullptr) {
        remark->set("no slot for updates");
        return UpdateResult::Failed;
    }
    uint8_t proof[kDigestLen];
    Hmac key = key_;
    key.update(begin.said, begin.said_len).finish(proof);
    if (!is_equal(proof, begin.proof, sizeof proof)) return UpdateResult::Unproven;
    if (begin.length == 0 || begin.length > slot_->capacity()) {
        snprintf(remark->text, sizeof remark->text, "the slot takes %lu bytes",
                 static_cast<unsigned long>(slot_->capacity()));
        return UpdateResult::WrongSize;
    }
    if (!begin.forced && is_older(begin.version, running_version_)) {
        snprintf(remark->text, sizeof remark->text, "%s runs", running_version_);
        return UpdateResult::Older;
    }
    if (!slot_->begin(begin.length)) return fail(UpdateResult::Failed);
    is_running_ = true;
    length_ = begin.length;
    memcpy(sha256_, begin.sha256, sizeof sha256_);
    hash_ = Sha256();
    return UpdateResult::Receiving;
}

UpdateResult UpdateReceiver::data(uint32_t offset, const uint8_t* chunk, size_t count, Remark* remark) {
    if (!is_running_) return UpdateResult::NotBegun;
    // What came twice or too early is not taken; the answer says where to go on.
    if (offset != next_offset_) return UpdateResult::Receiving;
    if (count > length_ - next_offset_) {
        remark->set("longer than it was to be");
        return fail(UpdateResult::WrongSize);
    }
    if (!slot_->write(chunk, count)) {
        remark->set("the flash can't be written");
        return fail(UpdateResult::Failed);
    }
    hash_.update(chunk, count);
    next_offset_ += static_cast<uint32_t>(count);
    return UpdateResult::Receiving;
}

UpdateResult UpdateReceiver::end(bool install, Remark* remark) {
    if (!is_running_) return UpdateResult::NotBegun;
    if (!install) return fail(UpdateResult::Abandoned);
    uint8_t digest[kDigestLen];
    hash_.finish(digest);
    if (next_offset_ != length_) remark->set("not all of it came");
    if (next_offset_ != length_ || !is_equal(digest, sha256_, sizeof digest)) return fail(UpdateResult::Corrupt);
    if (!slot_->activate()) {
        remark->set("not an image for this board");
        return fail(UpdateResult::Failed);
    }
    is_running_ = false;
    return UpdateResult::Installed;
}

void UpdateReceiver::forget() {
    if (is_running_) slot_->discard();
    is_running_ = false;
}

UpdateResult UpdateReceiver::fail(UpdateResult result) {
    slot_->discard();
    is_running_ = false;
    return result;
}

}  // namespace larder
