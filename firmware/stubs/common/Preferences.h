// Stub for type checks.
#pragma once

#include <stddef.h>
#include <stdint.h>

class Preferences {
public:
    bool begin(const char* name, bool read_only = false);
    bool clear();
    size_t putUChar(const char* key, uint8_t value);
    size_t putUShort(const char* key, uint16_t value);
    size_t putUInt(const char* key, uint32_t value);
    size_t putString(const char* key, const char* value);
    size_t putBytes(const char* key, const void* value, size_t length);
    uint8_t getUChar(const char* key, uint8_t otherwise = 0);
    uint16_t getUShort(const char* key, uint16_t otherwise = 0);
    uint32_t getUInt(const char* key, uint32_t otherwise = 0);
    size_t getString(const char* key, char* value, size_t room);
    size_t getBytes(const char* key, void* to, size_t room);
};
