// Stub: esp-idf 4.4 and 5.1, components/esp_common/include/esp_err.h (read at commit 043dae2).
#pragma once

typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL -1
