// Stub for type checks: IDF 5 declares chance here.
#pragma once

#include <stddef.h>

void esp_fill_random(void* to, size_t count);
