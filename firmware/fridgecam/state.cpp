#include "state.h"

#include <Arduino.h>
#include <WiFi.h>
#include <esp_heap_caps.h>
#include <esp_system.h>
#include <esp_timer.h>
#include <freertos/FreeRTOS.h>
#include <freertos/semphr.h>

#include "settings_store.h"

namespace state {

namespace {

struct Shared {
    larder::Settings settings;
    uint32_t boot;
    uint32_t seq;
    uint8_t reading_count;
    larder::Reading readings[larder::kMostProbes];
    larder::Place hub;
    bool has_hub;
    larder::FrameCounts counts;
    uint32_t tenths_fps;
    uint8_t quality;
    bool is_lowered;
};

Shared shared;
SemaphoreHandle_t mutex;

class Lock {
public:
    Lock() { xSemaphoreTake(mutex, portMAX_DELAY); }
    ~Lock() { xSemaphoreGive(mutex); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
};

}  // namespace

void begin() {
    mutex = xSemaphoreCreateMutex();
    settings_store::load(&shared.settings);
    shared.boot = settings_store::count_boot();
}

const larder::Settings& settings() { return shared.settings; }

uint32_t boot() { return shared.boot; }

uint64_t now_us() { return static_cast<uint64_t>(esp_timer_get_time()); }

void set_reading(const larder::Reading& reading) {
    Lock lock;
    uint8_t at = 0;
    while (at < shared.reading_count && shared.readings[at].probe != reading.probe) at++;
    if (at == larder::kMostProbes) return;
    if (at == shared.reading_count) shared.reading_count++;
    shared.readings[at] = reading;
    shared.seq = reading.seq;
}

uint32_t reading_seq() {
    Lock lock;
    return shared.seq;
}

void set_hub(const larder::Place& place) {
    Lock lock;
    shared.hub = place;
    shared.has_hub = true;
}

bool hub(larder::Place* place) {
    Lock lock;
    *place = shared.hub;
    return shared.has_hub;
}

void set_frames(const larder::FrameCounts& counts, uint32_t tenths_fps, uint8_t quality, bool is_lowered) {
    Lock lock;
    shared.counts = counts;
    shared.tenths_fps = tenths_fps;
    shared.quality = quality;
    shared.is_lowered = is_lowered;
}

void frames(larder::FrameCounts* counts, uint32_t* tenths_fps, uint8_t* quality, bool* is_lowered) {
    Lock lock;
    *counts = shared.counts;
    *tenths_fps = shared.tenths_fps;
    *quality = shared.quality;
    *is_lowered = shared.is_lowered;
}

void measure(larder::Telemetry* telemetry) {
    telemetry->uptime_s = static_cast<uint32_t>(now_us() / 1000000);
    telemetry->heap_free = ESP.getFreeHeap();
    telemetry->heap_min_free = ESP.getMinFreeHeap();
    telemetry->heap_largest_block = static_cast<uint32_t>(heap_caps_get_largest_free_block(MALLOC_CAP_INTERNAL));
    telemetry->psram_free = ESP.getFreePsram();
    telemetry->chip = static_cast<int32_t>(temperatureRead() * 1000);
    telemetry->rssi_dbm = static_cast<int8_t>(WiFi.RSSI());
    telemetry->reset_reason = reset_reason();
    Lock lock;
    telemetry->frames_captured = shared.counts.captured;
    telemetry->frames_sent = shared.counts.sent;
    telemetry->frames_dropped = shared.counts.dropped;
    telemetry->frames_corrupt = shared.counts.corrupt;
    telemetry->longest_send_stall_ms = shared.counts.longest_stall_ms;
    telemetry->reconnects = shared.counts.reconnects;
    telemetry->tenths_fps = static_cast<uint16_t>(shared.tenths_fps);
    telemetry->quality = shared.quality;
    telemetry->reading_count = shared.reading_count;
    for (uint8_t at = 0; at < shared.reading_count; at++) telemetry->readings[at] = shared.readings[at];
}

uint8_t reset_reason() { return static_cast<uint8_t>(esp_reset_reason()); }

}  // namespace state
