// Stub: esp-idf 5.1, components/esp_system/include/esp_system.h. The reasons are those of 4.4 (read at commit be30289),
// with further ones after them in later versions.
#pragma once

typedef enum {
    ESP_RST_UNKNOWN,
    ESP_RST_POWERON,
    ESP_RST_EXT,
    ESP_RST_SW,
    ESP_RST_PANIC,
    ESP_RST_INT_WDT,
    ESP_RST_TASK_WDT,
    ESP_RST_WDT,
    ESP_RST_DEEPSLEEP,
    ESP_RST_BROWNOUT,
    ESP_RST_SDIO,
} esp_reset_reason_t;

extern "C" esp_reset_reason_t esp_reset_reason();
