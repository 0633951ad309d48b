// DS18B20 thermometers: conversions are asked for, waited for without blocking, read, checked and tried again.
#pragma once

#include "reading.h"

namespace larder {

/// A thermometer's number of its own, from its ROM.
struct Rom {
    uint8_t bytes[8];
};

bool operator==(const Rom& one, const Rom& other);

/// Which index on the wire to the hub belongs to which thermometer: the one that it got when it was first seen. A start
/// without one of them, or in another order, changes nothing.
class ProbeTable {
public:
    static constexpr uint8_t kMost = 2;
    /// As it is kept in flash.
    static constexpr size_t kRecordLen = kMost * sizeof(Rom);

    ProbeTable() : count_(0) {}

    /// Gives each new one the next free index; when there is none, that of one which is not there any more. True when
    /// the table has changed and has to be kept.
    bool learn(const Rom* found, uint8_t count);

    uint8_t count() const { return count_; }
    const Rom& operator[](uint8_t index) const { return roms_[index]; }

    void put(uint8_t to[kRecordLen]) const;
    void parse(const uint8_t from[kRecordLen]);

private:
    bool has(const Rom& rom) const;

    Rom roms_[kMost];
    uint8_t count_;
};

/// The wire the probes hang on.
class ProbeBus {
public:
    virtual ~ProbeBus() {}
    /// Looks for probes; returns how many there are, `most` at most.
    virtual uint8_t search(Rom* found, uint8_t most) = 0;
    /// Asks all probes to measure at 12 bits; must not wait for them.
    virtual void request() = 0;
    /// What the probe measured, in thousandths of a degree; `kDisconnected` when it does not answer.
    virtual int32_t read(const Rom& rom) = 0;
};

constexpr int32_t kDisconnected = -127000;

/// What became of one probe in one round.
struct ProbeResult {
    uint8_t probe;
    ProbeStatus status;
    int32_t value;
    uint32_t error_count;
};

/// Measures all probes every interval, and looks for them as long as one is missing.
class Probes {
public:
    /// A 12-bit conversion takes 750 ms at most (DS18B20 data sheet, tCONV); one read earlier is the one before.
    static constexpr uint32_t kConversionMs = 750;
    static constexpr int kTries = 4;
    static constexpr uint8_t kMost = ProbeTable::kMost;

    /// `table`: as it was kept.
    Probes(ProbeBus* bus, const ProbeTable& table, uint32_t interval_ms);

    /// Call often. True when a round is over: `results` are new then.
    bool tick(uint32_t now_ms);

    uint8_t count() const { return table_.count(); }
    const ProbeTable& table() const { return table_; }
    /// Whether the table has changed since this was last asked.
    bool takes_change();
    const ProbeResult& result(uint8_t at) const { return results_[at]; }

private:
    struct Probe {
        bool has_value;
        int32_t last;
        bool is_done;
    };

    void begin_round(uint32_t now_ms);
    void request(uint32_t now_ms);
    bool read(uint8_t index);
    ProbeStatus judge(const Probe& probe, int32_t value) const;

    ProbeBus* bus_;
    ProbeTable table_;
    bool is_changed_;
    bool is_one_missing_;
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
