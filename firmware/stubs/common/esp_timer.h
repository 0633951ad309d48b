// Stub: esp-idf 4.4 and 5.1, components/esp_timer/include/esp_timer.h (read at commit 0497f18).
#pragma once

#include <stdint.h>

extern "C" int64_t esp_timer_get_time();
