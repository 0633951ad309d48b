// Big-endian fields in memory that belongs to somebody else.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace larder {

/// Writes fields one after the other. What does not fit is left out, and `ok` says so.
class Writer {
public:
    Writer(uint8_t* to, size_t room) : to_(to), room_(room), size_(0), ok_(true) {}

    void u8(uint8_t value) { bytes(&value, 1); }
    void u16(uint16_t value) { number(value, 2); }
    void u32(uint32_t value) { number(value, 4); }
    void u64(uint64_t value) { number(value, 8); }
    void i32(int32_t value) { u32(static_cast<uint32_t>(value)); }

    void bytes(const void* from, size_t count) {
        if (room_ - size_ < count) {
            ok_ = false;
            return;
        }
        memcpy(to_ + size_, from, count);
        size_ += count;
    }

    /// A length byte, then the text without control characters, at most `most` bytes and cut between characters.
    void text(const char* from, size_t most);

    size_t size() const { return size_; }
    bool ok() const { return ok_; }

private:
    void number(uint64_t value, size_t count) {
        uint8_t raw[8];
        for (size_t at = 0; at < count; at++) raw[at] = static_cast<uint8_t>(value >> (8 * (count - 1 - at)));
        bytes(raw, count);
    }

    uint8_t* to_;
    size_t room_;
    size_t size_;
    bool ok_;
};

/// Reads fields one after the other. Past the end everything is zero, and `ok` says so.
class Reader {
public:
    Reader(const uint8_t* from, size_t count) : from_(from), left_(count), ok_(true) {}

    uint8_t u8() { return static_cast<uint8_t>(number(1)); }
    uint16_t u16() { return static_cast<uint16_t>(number(2)); }
    uint32_t u32() { return static_cast<uint32_t>(number(4)); }
    uint64_t u64() { return number(8); }
    int8_t i8() { return static_cast<int8_t>(u8()); }
    int16_t i16() { return static_cast<int16_t>(u16()); }
    int32_t i32() { return static_cast<int32_t>(u32()); }

    void bytes(void* to, size_t count) {
        if (left_ < count) {
            ok_ = false;
            left_ = 0;
            memset(to, 0, count);
            return;
        }
        memcpy(to, from_, count);
        from_ += count;
        left_ -= count;
    }

    /// A length byte and at most `most` printable ASCII characters, into `most + 1` bytes.
    void text(char* to, size_t most);

    const uint8_t* rest() const { return from_; }
    size_t left() const { return left_; }
    bool ok() const { return ok_; }
    /// Whether everything was there and nothing is left.
    bool is_done() const { return ok_ && left_ == 0; }

private:
    uint64_t number(size_t count) {
        uint8_t raw[8];
        bytes(raw, count);
        uint64_t value = 0;
        for (size_t at = 0; at < count; at++) value = value << 8 | raw[at];
        return value;
    }

    const uint8_t* from_;
    size_t left_;
    bool ok_;
};

}  // namespace larder
