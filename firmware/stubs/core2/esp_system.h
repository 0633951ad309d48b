// Stub for type checks: IDF 4 declares chance here.
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum { ESP_RST_UNKNOWN, ESP_RST_POWERON } esp_reset_reason_t;
esp_reset_reason_t esp_reset_reason();
void esp_fill_random(void* to, size_t count);
