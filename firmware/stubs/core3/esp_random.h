// Stub: esp-idf 5.1, components/esp_hw_support/include/esp_random.h (read at commit 002cd29): chance has a header of
// its own since 5.0.
#pragma once

#include <stddef.h>

extern "C" void esp_fill_random(void* to, size_t count);
