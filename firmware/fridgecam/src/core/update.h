// New firmware over the camera link: what comes is checked before any of it can run.
#pragma once

#include "messages.h"
#include "sha256.h"

namespace larder {

/// Where new firmware goes: the flash slot that does not run.
class UpdateSlot {
public:
    virtual ~UpdateSlot() {}
    /// Most bytes of an image.
    virtual uint32_t capacity() = 0;
    /// Makes room for an image of this length.
    virtual bool begin(uint32_t length) = 0;
    virtual bool write(const uint8_t* data, size_t count) = 0;
    /// The image is whole and right: start it at the next start. False when the bootloader would refuse it.
    virtual bool activate() = 0;
    /// Forgets what was written.
    virtual void discard() = 0;
};

/// Whether version `one` is older than `other`: up to four numbers with dots between, as "1.10.2". What is none counts
/// as older than everything and newer than nothing.
bool is_older(const char* one, const char* other);

/// Takes one image at a time.
class UpdateReceiver {
public:
    /// `slot` may be null: every update is refused then.
    UpdateReceiver(const uint8_t key[kKeyLen], const uint8_t camera[kUuidLen], const char* running_version,
                   UpdateSlot* slot);

    UpdateResult begin(const UpdateBegin& begin, Remark* remark);
    UpdateResult data(uint32_t offset, const uint8_t* chunk, size_t count, Remark* remark);
    UpdateResult end(bool install, Remark* remark);
    /// The session ended: so does an update that was under way.
    void forget();

    /// Bytes that are there.
    uint32_t next_offset() const { return next_offset_; }
    bool is_running() const { return is_running_; }

private:
    UpdateResult fail(UpdateResult result);

    Hmac key_;
    const char* running_version_;
    UpdateSlot* slot_;
    bool is_running_;
    uint32_t length_;
    uint32_t next_offset_;
    uint8_t sha256_[kDigestLen];
    Sha256 hash_;
};

}  // namespace larder
