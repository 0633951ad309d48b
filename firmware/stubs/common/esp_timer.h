// Stub: esp-idf 4.4 and 5.1, components/esp_timer/include/esp_timer.h. Declared as sketches use it.
#pragma once

#include <stdint.h>

int64_t esp_timer_get_time();
