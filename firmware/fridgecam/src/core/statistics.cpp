#include "statistics.h"

#include <stdarg.h>
#include <stdio.h>

namespace larder {

namespace {

class Text {
public:
    Text(char* to, size_t room) : to_(to), room_(room), size_(0) {}

    __attribute__((format(printf, 2, 3))) void add(const char* format, ...) {
        va_list values;
        va_start(values, format);
        const int wanted = vsnprintf(to_ + size_, room_ - size_, format, values);
        va_end(values);
        if (wanted < 0) return;
        const size_t left = room_ - size_ - 1;
        size_ += static_cast<size_t>(wanted) < left ? static_cast<size_t>(wanted) : left;
    }

    void celsius(const char* what, int32_t value) {
        if (value == kNoValue) {
            add("%s none", what);
            return;
        }
        const uint32_t whole = static_cast<uint32_t>(value < 0 ? -value : value);
        add("%s %s%lu.%02lu C", what, value < 0 ? "-" : "", static_cast<unsigned long>(whole / 1000),
            static_cast<unsigned long>(whole % 1000 / 10));
    }

    size_t size() const { return size_; }

private:
    char* to_;
    size_t room_;
    size_t size_;
};

unsigned long number(uint32_t value) { return value; }

}  // namespace

void FrameCounts::went_out(uint32_t took_ms, uint32_t stall_ms) {
    sent++;
    last_ms = took_ms;
    if (min_ms == 0 || took_ms < min_ms) min_ms = took_ms;
    if (took_ms > max_ms) max_ms = took_ms;
    if (stall_ms > longest_stall_ms) longest_stall_ms = stall_ms;
}

void FrameCounts::begin_span() {
    min_ms = 0;
    max_ms = 0;
}

bool LeakWatch::report(uint32_t heap_min_free) {
    if (reports_ % kReportsInSpan == 0) {
        // The first span is the start itself: sockets, tasks and buffers come in it.
        if (reports_ >= 2 * kReportsInSpan) falls_ = heap_min_free + kFall <= at_start_ ? falls_ + 1 : 0;
        at_start_ = heap_min_free;
    }
    reports_++;
    return falls_ >= kFallsInARow;
}

size_t report(const Telemetry& telemetry, const FrameCounts& counts, uint32_t tenths_fps, uint8_t quality,
              bool is_lowered, bool leaks, char* to, size_t room) {
    Text text(to, room);
    text.add("up %lu s  ", number(telemetry.uptime_s));
    text.celsius("chip", telemetry.chip);
    text.add("  rssi %d dBm\n", telemetry.rssi_dbm);
    text.add("heap free %lu  min %lu%s  largest %lu  psram %lu\n", number(telemetry.heap_free),
             number(telemetry.heap_min_free), leaks ? " (falls and falls: a leak?)" : "",
             number(telemetry.heap_largest_block), number(telemetry.psram_free));
    text.add("frames captured %lu  sent %lu  dropped %lu  corrupt %lu  took %lu ms (%lu to %lu)  stall %lu ms\n",
             number(counts.captured), number(counts.sent), number(counts.dropped), number(counts.corrupt),
             number(counts.last_ms), number(counts.min_ms), number(counts.max_ms), number(counts.longest_stall_ms));
    text.add("rate %lu.%lu fps  quality %u%s  reconnects %lu\n", number(tenths_fps / 10), number(tenths_fps % 10),
             quality, is_lowered ? " (lowered: the line is slow)" : "", number(counts.reconnects));
    for (uint8_t at = 0; at < telemetry.reading_count; at++) {
        const Reading& reading = telemetry.readings[at];
        text.add("probe %u: ", reading.probe);
        text.celsius("temperature", reading.value);
        text.add("  errors %lu\n", number(reading.error_count));
    }
    return text.size();
}

}  // namespace larder
