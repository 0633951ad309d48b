#include "probes.h"

namespace larder {

namespace {

// What a probe holds between power-on and its first conversion (DS18B20 data sheet).
constexpr int32_t kPowerOn = 85000;
// A fridge does not come this near to 85 degrees from one reading to the next.
constexpr int32_t kNear = 5000;
constexpr int32_t kLowest = -55000;
constexpr int32_t kHighest = 125000;

}  // namespace

Probes::Probes(ProbeBus* bus, uint8_t count, uint32_t interval_ms)
    : bus_(bus),
      count_(count < kMost ? count : kMost),
      interval_ms_(interval_ms),
      is_converting_(false),
      has_begun_(false),
      requested_ms_(0),
      round_ms_(0),
      tries_(0),
      probes_(),
      results_() {}

void Probes::request(uint32_t now_ms) {
    bus_->request();
    requested_ms_ = now_ms;
    is_converting_ = true;
    tries_++;
}

ProbeStatus Probes::judge(const Probe& probe, int32_t value) const {
    if (value == kDisconnected) return ProbeStatus::Silent;
    if (value < kLowest || value > kHighest) return ProbeStatus::Garbled;
    const bool is_near = probe.has_value && value - probe.last <= kNear;
    return value == kPowerOn && !is_near ? ProbeStatus::PowerOn : ProbeStatus::Measured;
}

bool Probes::tick(uint32_t now_ms) {
    if (!is_converting_) {
        if (count_ == 0 || (has_begun_ && now_ms - round_ms_ < interval_ms_)) return false;
        has_begun_ = true;
        round_ms_ = now_ms;
        tries_ = 0;
        for (uint8_t at = 0; at < count_; at++) probes_[at].is_done = false;
        request(now_ms);
        return false;
    }
    if (now_ms - requested_ms_ < kConversionMs) return false;
    is_converting_ = false;
    bool all_done = true;
    for (uint8_t at = 0; at < count_; at++) {
        Probe& probe = probes_[at];
        if (probe.is_done) continue;
        ProbeResult& result = results_[at];
        const int32_t value = bus_->read(at);
        result.probe = at;
        result.value = value;
        result.status = judge(probe, value);
        probe.is_done = result.status == ProbeStatus::Measured;
        if (probe.is_done) {
            probe.has_value = true;
            probe.last = value;
        } else {
            result.error_count++;
            all_done = false;
            // It may have lost power: the next 85 degrees are suspect again.
            if (result.status == ProbeStatus::Silent) probe.has_value = false;
        }
    }
    if (all_done || tries_ >= kTries) return true;
    request(now_ms);
    return false;
}

}  // namespace larder
