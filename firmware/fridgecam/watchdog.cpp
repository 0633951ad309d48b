#include "watchdog.h"

#include <esp_idf_version.h>
#include <esp_task_wdt.h>

namespace watchdog {

namespace {

// Longer than a dial (5 s) and a send (5 s without progress) after one another.
constexpr unsigned kSeconds = 30;

}  // namespace

void begin() {
#if ESP_IDF_VERSION_MAJOR >= 5
    esp_task_wdt_config_t config = {};
    config.timeout_ms = kSeconds * 1000;
    config.trigger_panic = true;
    // The Arduino core has started it already.
    if (esp_task_wdt_reconfigure(&config) != ESP_OK) esp_task_wdt_init(&config);
#else
    esp_task_wdt_init(kSeconds, true);
#endif
}

void join() { esp_task_wdt_add(nullptr); }

void feed() { esp_task_wdt_reset(); }

}  // namespace watchdog
