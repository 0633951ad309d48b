// Stub: esp-idf 4.4 and 5.1, components/heap/include/esp_heap_caps.h. Declared as sketches use it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MALLOC_CAP_INTERNAL (1 << 11)
extern "C" size_t heap_caps_get_largest_free_block(uint32_t caps);
