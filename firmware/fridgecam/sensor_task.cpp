#include "sensor_task.h"

#include <Arduino.h>
#include <DallasTemperature.h>
#include <OneWire.h>

#include "board.h"
#include "settings_store.h"
#include "src/core/probes.h"
#include "src/core/tcp.h"
#include "state.h"
#include "watchdog.h"
#include "wlan.h"

namespace sensor_task {

namespace {

constexpr uint32_t kStackBytes = 6144;
constexpr BaseType_t kCore = 0;
constexpr UBaseType_t kPriority = 1;
constexpr uint32_t kIntervalMs = 30000;

OneWire wire(board::kProbePin);
DallasTemperature thermometers(&wire);

class Bus : public larder::ProbeBus {
public:
    uint8_t search(larder::Rom* found, uint8_t most) override {
        thermometers.begin();
        // The call must come back at once: waiting is the state machine's.
        thermometers.setWaitForConversion(false);
        thermometers.setResolution(12);
        uint8_t count = 0;
        while (count < most && thermometers.getAddress(found[count].bytes, count)) count++;
        return count;
    }

    void request() override { thermometers.requestTemperatures(); }

    int32_t read(const larder::Rom& rom) override {
        const float celsius = thermometers.getTempC(rom.bytes);
        if (celsius <= DEVICE_DISCONNECTED_C) return larder::kDisconnected;
        return static_cast<int32_t>(celsius * 1000 + (celsius < 0 ? -0.5f : 0.5f));
    }
};

void send(larder::ReadingSigner* signer, larder::Udp* udp, const larder::ProbeResult& result) {
    const uint64_t now_us = state::now_us();
    uint8_t datagram[larder::kDatagramLen];
    const uint32_t seq = signer->sign(result.probe, result.status, result.value, now_us, datagram);
    const bool is_measured = result.status == larder::ProbeStatus::Measured;
    larder::Reading reading = {result.probe, seq, now_us, is_measured ? result.value : larder::kNoValue,
                               result.error_count};
    // TELEMETRY repeats it, so one that is lost here is not lost.
    state::set_reading(reading);
    larder::Place hub;
    if (!wlan::is_up() || !state::hub(&hub)) return;
    hub.port = larder::kReadingPort;
    udp->send(hub, datagram, sizeof datagram);
}

/// A thermometer was seen for the first time.
void show(const larder::Probes& probes) {
    for (uint8_t index = 0; index < probes.count(); index++) {
        const uint8_t* rom = probes.table()[index].bytes;
        Serial.printf("probe %u: %02x-%02x%02x%02x%02x%02x%02x\n", index, rom[0], rom[6], rom[5], rom[4], rom[3],
                      rom[2], rom[1]);
    }
    if (!settings_store::save_probes(probes.table())) Serial.println("flash: the probes could not be kept");
}

void run(void*) {
    static Bus bus;
    static larder::Udp udp;
    static larder::ReadingSigner signer(state::settings().key, state::settings().camera, state::boot());
    larder::ProbeTable table;
    settings_store::load_probes(&table);
    larder::Probes probes(&bus, table, kIntervalMs);
    watchdog::join();
    for (;;) {
        watchdog::feed();
        const bool is_over = probes.tick(millis());
        if (probes.takes_change()) show(probes);
        if (is_over) {
            for (uint8_t at = 0; at < probes.count(); at++) send(&signer, &udp, probes.result(at));
        }
        vTaskDelay(50 / portTICK_PERIOD_MS);
    }
}

}  // namespace

void begin() { xTaskCreatePinnedToCore(run, "sensors", kStackBytes, nullptr, kPriority, nullptr, kCore); }

}  // namespace sensor_task
