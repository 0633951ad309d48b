// Stub: esp-idf 4.4, the task watchdog (esp_task_wdt.h, read in components/esp_common/include at commit adfc06a). A
// second `init` changes the time.
#pragma once

#include <esp_err.h>
#include <freertos/FreeRTOS.h>

extern "C" {
esp_err_t esp_task_wdt_init(uint32_t seconds, bool panic);
esp_err_t esp_task_wdt_add(TaskHandle_t task);
esp_err_t esp_task_wdt_reset();
esp_err_t esp_task_wdt_delete(TaskHandle_t task);
}
