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

bool operator==(const Rom& one, const Rom& other) { return memcmp(one.bytes, other.bytes, sizeof one.bytes) == 0; }

bool ProbeTable::has(const Rom& rom) const {
    for (uint8_t index = 0; index < count_; index++) {
        if (roms_[index] == rom) return true;
    }
    return false;
}

bool ProbeTable::learn(const Rom* found, uint8_t count) {
    bool is_changed = false;
    for (uint8_t at = 0; at < count; at++) {
        if (has(found[at])) continue;
        uint8_t index = 0;
        if (count_ < kMost) {
            index = count_++;
        } else {
            const auto is_there = [found, count](const Rom& rom) {
                for (uint8_t other = 0; other < count; other++) {
                    if (found[other] == rom) return true;
                }
                return false;
            };
            while (index < kMost && is_there(roms_[index])) index++;
            if (index == kMost) continue;
        }
        roms_[index] = found[at];
        is_changed = true;
    }
    return is_changed;
}

void ProbeTable::put(uint8_t to[kRecordLen]) const {
    memset(to, 0, kRecordLen);
    for (uint8_t index = 0; index < count_; index++) memcpy(to + index * sizeof(Rom), roms_[index].bytes, sizeof(Rom));
}

void ProbeTable::parse(const uint8_t from[kRecordLen]) {
    // No thermometer's ROM is zero: it begins with the family.
    count_ = 0;
    while (count_ < kMost && from[count_ * sizeof(Rom)] != 0) {
        memcpy(roms_[count_].bytes, from + count_ * sizeof(Rom), sizeof(Rom));
        count_++;
    }
}

Probes::Probes(ProbeBus* bus, const ProbeTable& table, uint32_t interval_ms)
    : bus_(bus),
      table_(table),
      is_changed_(false),
      is_one_missing_(true),
      interval_ms_(interval_ms),
      is_converting_(false),
      has_begun_(false),
      requested_ms_(0),
      round_ms_(0),
      tries_(0),
      probes_(),
      results_() {}

bool Probes::takes_change() {
    const bool is_changed = is_changed_;
    is_changed_ = false;
    return is_changed;
}

/// Looks for what is missing first: a wire that came loose may hold again, and a new probe hangs on it at once.
void Probes::begin_round(uint32_t now_ms) {
    has_begun_ = true;
    round_ms_ = now_ms;
    tries_ = 0;
    if (is_one_missing_ || count() < kMost) {
        Rom found[kMost];
        is_changed_ = table_.learn(found, bus_->search(found, kMost)) || is_changed_;
    }
    for (Probe& probe : probes_) probe.is_done = false;
    is_one_missing_ = false;
    if (count() > 0) request(now_ms);
}

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

/// False when it has to be read again.
bool Probes::read(uint8_t index) {
    Probe& probe = probes_[index];
    if (probe.is_done) return true;
    ProbeResult& result = results_[index];
    result.probe = index;
    result.value = bus_->read(table_[index]);
    result.status = judge(probe, result.value);
    probe.is_done = result.status == ProbeStatus::Measured;
    if (probe.is_done) {
        probe.has_value = true;
        probe.last = result.value;
        return true;
    }
    result.error_count++;
    if (result.status == ProbeStatus::Silent) {
        // It may have lost power: the next 85 degrees are suspect again.
        probe.has_value = false;
        is_one_missing_ = true;
    }
    return false;
}

bool Probes::tick(uint32_t now_ms) {
    if (!is_converting_) {
        if (!has_begun_ || now_ms - round_ms_ >= interval_ms_) begin_round(now_ms);
        return false;
    }
    if (now_ms - requested_ms_ < kConversionMs) return false;
    is_converting_ = false;
    bool all_done = true;
    for (uint8_t index = 0; index < count(); index++) all_done = read(index) && all_done;
    if (all_done || tries_ >= kTries) return true;
    request(now_ms);
    return false;
}

}  // namespace larder
