// Stub: arduino-esp32, libraries/Preferences/src/Preferences.h and Preferences.cpp (read at commits 0cf8fbb and
// 1df266e). A put returns how many bytes it wrote, 0 when it failed; for a string that is its length, so 0 for an empty
// one too.
#pragma once

#include <stddef.h>
#include <stdint.h>

class Preferences {
public:
    bool begin(const char* name, bool read_only = false);
    bool clear();
    bool remove(const char* key);
    bool isKey(const char* key);
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

private:
    uint32_t handle_;
};
