#include "console_task.h"

#include <Arduino.h>

#include "board.h"
#include "settings_store.h"
#include "src/core/console.h"
#include "src/core/statistics.h"
#include "state.h"

namespace console_task {

namespace {

constexpr uint32_t kReportMs = 30000;
const char kNotWritten[] = "not kept: the flash could not be written";

larder::LineBuffer lines;
larder::LeakWatch leaks;
larder::Settings settings;
uint32_t reported_ms;

void show() {
    char camera[37] = "none";
    if (settings.has_camera) larder::format_uuid(settings.camera, camera);
    // Neither the password nor the key is ever shown.
    Serial.printf("fridgecam %s, start %lu\nwifi \"%s\"%s\nhub %s:%u\ncamera %s\nxclk %u MHz\n", board::kVersion,
                  static_cast<unsigned long>(state::boot()), settings.ssid,
                  settings.password[0] != 0 ? " with a password" : "", settings.hub[0] != 0 ? settings.hub : "auto",
                  settings.hub_port, camera, settings.xclk_mhz);
}

void report() {
    larder::Telemetry telemetry = {};
    state::measure(&telemetry);
    larder::FrameCounts counts;
    uint32_t tenths_fps;
    uint8_t quality;
    bool is_lowered;
    state::frames(&counts, &tenths_fps, &quality, &is_lowered);
    static char text[900];
    larder::report(telemetry, counts, tenths_fps, quality, is_lowered, leaks.report(telemetry.heap_min_free), text,
                   sizeof text);
    Serial.print(text);
}

}  // namespace

const char kKept[] = "kept; it holds after reboot";

void begin() {
    settings = state::settings();
    show();
    Serial.println(settings.is_complete() ? "" : "not set up: type help, or join the Wi-Fi network fridgecam");
}

const char* enter(const char* line) {
    const char* why;
    switch (larder::read_line(line, &settings, &why)) {
        case larder::LineResult::Empty: return "";
        case larder::LineResult::Changed:
            return settings_store::save(settings) ? kKept : kNotWritten;
        case larder::LineResult::Show: show(); return "";
        case larder::LineResult::Help: return larder::kConsoleHelp;
        case larder::LineResult::Reboot: ESP.restart(); return "";
        case larder::LineResult::Forget:
            if (!settings_store::forget()) return kNotWritten;
            settings = larder::first_settings();
            return "forgotten; it holds after reboot";
        case larder::LineResult::ForgetProbes:
            return settings_store::forget_probes() ? "forgotten; it holds after reboot" : kNotWritten;
        case larder::LineResult::Bad: return why;
    }
    return "";
}

void tend() {
    while (Serial.available() > 0) {
        const char* line = lines.add(static_cast<char>(Serial.read()));
        if (line != nullptr) Serial.println(enter(line));
    }
    const uint32_t now_ms = millis();
    if (now_ms - reported_ms < kReportMs) return;
    reported_ms = now_ms;
    report();
}

}  // namespace console_task
