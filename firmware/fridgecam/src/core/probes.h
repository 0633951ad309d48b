// DS18B20 thermometers: conversions are asked for, waited for without blocking, read, checked and tried again.
#pragma once

#include "reading.h"

namespace larder {

/// The wire the probes hang on.
class ProbeBus {
public:
    virtual ~ProbeBus() {}
    /// Asks all probes to measure at 12 bits; must not wait for them.
    virtual void request() = 0;
    /// What the probe measured, in thousandths of a degree; `kDisconnected` when it does not answer.
    virtual int32_t read(uint8_t probe) = 0;
};

constexpr int32_t kDisconnected = -127000;

/// What became of one probe in one round.
struct ProbeResult {
    uint8_t probe;
    ProbeStatus status;
    int32_t value;
    uint32_t error_count;
};

/// Measures all probes every interval.
class Probes {
public:
    /// A 12-bit conversion takes 750 ms at most (DS18B20 data sheet, tCONV); one read earlier is the one before.
    static constexpr uint32_t kConversionMs = 750;
    static constexpr int kTries = 4;
    static constexpr uint8_t kMost = 2;

    Probes(ProbeBus* bus, uint8_t count, uint32_t interval_ms);

    /// Call often. True when a round is over: `results` are new then.
    bool tick(uint32_t now_ms);

    uint8_t count() const { return count_; }
    const ProbeResult& result(uint8_t at) const { return results_[at]; }

private:
    struct Probe {
        bool has_value;
        int32_t last;
        bool is_done;
    };

    void request(uint32_t now_ms);
    ProbeStatus judge(const Probe& probe, int32_t value) const;

    ProbeBus* bus_;
    uint8_t count_;
    uint32_t interval_ms_;
    bool is_converting_;
    bool has_begun_;
    uint32_t requested_ms_;
    uint32_t round_ms_;
    int tries_;
    Probe probes_[kMost];
    ProbeResult results_[kMost];
};

}  // namespace larder
