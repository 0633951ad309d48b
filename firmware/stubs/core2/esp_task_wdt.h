// Stub for type checks: the task watchdog of IDF 4.
#pragma once

#include <esp_err.h>
#include <stdint.h>

esp_err_t esp_task_wdt_init(uint32_t seconds, bool panic);
esp_err_t esp_task_wdt_add(void* task);
esp_err_t esp_task_wdt_reset();
