#include "watchdog.h"

#include <esp_idf_version.h>
#include <esp_task_wdt.h>

namespace watchdog {

namespace {

// Longer than any single step of a task: a send takes 20 s at most, a connection and a handshake 5 s each, a picture
// from a dead sensor 4 s. The task feeds after each of them.
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

void leave() { esp_task_wdt_delete(nullptr); }

void feed() { esp_task_wdt_reset(); }

}  // namespace watchdog
