#include "link_task.h"

#include <Arduino.h>
#include <esp_idf_version.h>
#include <string.h>

#if ESP_IDF_VERSION_MAJOR >= 5
#include <esp_random.h>
#else
#include <esp_system.h>
#endif

#include "board.h"
#include "eye.h"
#include "lamp.h"
#include "ota.h"
#include "pwm.h"
#include "src/core/runner.h"
#include "state.h"
#include "watchdog.h"
#include "wlan.h"

namespace link_task {

namespace {

constexpr uint32_t kStackBytes = 8192;
constexpr BaseType_t kCore = 1;
constexpr UBaseType_t kPriority = 5;
constexpr uint8_t kWorstQuality = 63;
constexpr uint32_t kMostWaitMs = 1000;
constexpr uint8_t kMostFps = 30;

using larder::AckResult;
using larder::Command;

class Board : public larder::Board {
public:
    uint64_t now_us() override { return state::now_us(); }
    void random(uint8_t* to, size_t count) override { esp_fill_random(to, count); }

    void describe(larder::Hello* hello) override {
        *hello = larder::Hello();
        memcpy(hello->camera, state::settings().camera, sizeof hello->camera);
        hello->boot = hello->reading_boot = state::boot();
        hello->reading_seq = state::reading_seq();
        hello->capabilities =
            larder::kCanFlash | larder::kCanPanTilt | larder::kHasThermometer | larder::kCanUpdate;
        hello->reset_reason = state::reset_reason();
        hello->camera_state = eye::is_ready() ? 0 : 1;
        hello->firmware_version = board::kVersion;
    }

    void measure(larder::Telemetry* telemetry) override { state::measure(telemetry); }
    void alive() override { watchdog::feed(); }

    void welcomed(const larder::Welcome& welcome, const larder::HubProof&) override {
        // A new program that gets this far can stay.
        ota::confirm();
        eye::set_size(welcome.width, welcome.height);
        want(welcome.active_fps, welcome.idle_fps, welcome.quality);
    }

    AckResult obey(const larder::Control& control, larder::Remark* remark) override {
        switch (control.command) {
            case Command::Size:
                if (eye::set_size(control.width, control.height)) return AckResult::Done;
                remark->set("the OV2640 has no such size");
                return AckResult::OutOfRange;
            case Command::Quality:
                if (control.quality > kWorstQuality) return AckResult::OutOfRange;
                want(active_fps_, idle_fps_, control.quality);
                return AckResult::Done;
            case Command::Rate:
                if (control.active_fps < 1 || control.active_fps > kMostFps || control.idle_fps < 1 ||
                    control.idle_fps > kMostFps) {
                    return AckResult::OutOfRange;
                }
                want(control.active_fps, control.idle_fps, quality_);
                return AckResult::Done;
            case Command::Register: return eye::set_register(control.setting, control.value);
            case Command::Flash: pwm::flash(control.level); return AckResult::Done;
            case Command::Snapshot:
                if (!eye::is_ready()) return AckResult::Failed;
                eye::want_snapshot();
                return AckResult::Done;
            case Command::PanTilt:
                if (control.pan < -90 || control.pan > 90 || control.tilt < -90 || control.tilt > 90) {
                    return AckResult::OutOfRange;
                }
                pwm::turn(control.pan, control.tilt);
                return AckResult::Done;
            case Command::Reboot: return AckResult::Done;
        }
        return AckResult::Unsupported;
    }

    larder::Pace* pace = nullptr;

private:
    void want(uint8_t active_fps, uint8_t idle_fps, uint8_t quality) {
        active_fps_ = active_fps;
        idle_fps_ = idle_fps;
        quality_ = quality;
        pace->want(active_fps, idle_fps, quality);
    }

    uint8_t active_fps_ = 10;
    uint8_t idle_fps_ = 2;
    uint8_t quality_ = 12;
};

class Watcher : public larder::Watcher {
public:
    void opened() override {
        Serial.println("link: the hub is there");
        lamp::show(eye::is_ready() ? lamp::Sign::Sending : lamp::Sign::NoCamera);
    }
    void ended(larder::Bye reason, uint32_t wait_ms) override {
        // Whoever says why is there.
        if (larder::is_said(reason)) wlan::heard();
        Serial.printf("link: %s; again in %lu ms\n", larder::name(reason), static_cast<unsigned long>(wait_ms));
        lamp::show(larder::is_refusal(reason) ? lamp::Sign::Refused : lamp::Sign::Dialling);
    }
    void sent(const larder::Picture&, uint32_t) override {}
};

class Finder : public larder::Finder {
public:
    void find(larder::Places* to) override {
        // Name servers that are gone take their time; nothing of it is this task's fault.
        watchdog::leave();
        wlan::find_hub(state::settings(), to);
        watchdog::join();
        if (to->count() == 0) Serial.println("link: no hub found");
    }
};

/// Everything that the task owns; made once, never on its stack.
struct Parts {
    larder::Tcp tcp;
    Board board;
    Watcher watcher;
    Finder finder;
    larder::UpdateReceiver update;
    larder::Link link;
    larder::Runner runner;

    Parts()
        : update(state::settings().key, state::settings().camera, board::kVersion, ota::slot()),
          link(state::settings().key, &tcp, &board, &update),
          runner(&link, &board, eye::pictures(), &watcher, &finder) {
        board.pace = &runner.pace();
    }
};

void wait(uint32_t ms) { vTaskDelay(ms / portTICK_PERIOD_MS + 1); }

/// What others want to know of the link.
void tell(Parts* parts) {
    if (parts->link.is_open()) wlan::heard();
    larder::Place hub;
    if (parts->runner.hub(&hub)) state::set_hub(hub);
    const larder::Pace& pace = parts->runner.pace();
    const uint32_t now_ms = static_cast<uint32_t>(state::now_us() / 1000);
    state::set_frames(parts->runner.counts(), pace.tenths_fps(now_ms), pace.quality(), pace.is_lowered());
}

void run(void*) {
    static Parts parts;
    watchdog::join();
    for (;;) {
        watchdog::feed();
        if (!wlan::is_up() && !parts.link.is_open()) {
            lamp::show(lamp::Sign::NoWlan);
            wait(200);
            continue;
        }
        const uint32_t until_dial_ms = parts.runner.until_dial_ms();
        if (until_dial_ms > 0) {
            wait(until_dial_ms < kMostWaitMs ? until_dial_ms : kMostWaitMs);
            continue;
        }
        parts.runner.step();
        tell(&parts);
        if (parts.link.wants_restart()) {
            wait(500);
            ESP.restart();
        }
    }
}

}  // namespace

void begin() { xTaskCreatePinnedToCore(run, "link", kStackBytes, nullptr, kPriority, nullptr, kCore); }

}  // namespace link_task
