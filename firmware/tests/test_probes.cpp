// Thermometers on a wire that comes loose.
#include "../fridgecam/src/core/probes.h"
#include "vectors.h"

using namespace larder;

namespace {

constexpr Rom kOne = {{0x28, 1, 1, 1, 1, 1, 1, 9}};
constexpr Rom kOther = {{0x28, 2, 2, 2, 2, 2, 2, 8}};
constexpr Rom kThird = {{0x28, 3, 3, 3, 3, 3, 3, 7}};

/// Two probes, or what is left of them.
class Bus : public ProbeBus {
public:
    uint8_t search(Rom* found, uint8_t most) override {
        searches++;
        uint8_t count = 0;
        for (uint8_t probe = 0; probe < 2 && count < most; probe++) {
            if (values[probe] != nullptr) found[count++] = roms[probe];
        }
        return count;
    }
    void request() override { requests++; }
    int32_t read(const Rom& rom) override {
        const int probe = rom == roms[0] ? 0 : 1;
        if (!(rom == roms[probe]) || values[probe] == nullptr) return kDisconnected;
        reads[probe]++;
        const int32_t* next = values[probe];
        if (next[at[probe] + 1] != 0) return next[at[probe]++];
        return next[at[probe]];
    }
    Rom roms[2] = {kOne, kOther};
    int searches = 0;
    int requests = 0;
    int reads[2] = {};
    // Read one after the other; the last one stays. Zero ends them.
    const int32_t* values[2] = {};
    int at[2] = {};
};

}  // namespace

TEST("a probe is read no earlier than 750 ms after it was asked, and again after the interval") {
    const int32_t values[] = {4125, 4187, 0};
    Bus bus;
    bus.values[0] = values;
    Probes probes(&bus, ProbeTable(), 30000);
    uint32_t now = 4294967000u;
    CHECK(!probes.tick(now));
    CHECK_EQ(bus.requests, 1);
    CHECK(!probes.tick(now + 749));
    CHECK_EQ(bus.reads[0], 0);
    CHECK(probes.tick(now + 750));
    CHECK(probes.result(0).status == ProbeStatus::Measured && probes.result(0).value == 4125);
    CHECK(!probes.tick(now + 29999) && bus.requests == 1);
    CHECK(!probes.tick(now + 30000) && bus.requests == 2);
    CHECK(probes.tick(now + 30750));
    CHECK_EQ(probes.result(0).value, 4187);
}

TEST("85 degrees at first is no reading, and three more tries are made") {
    const int32_t good[] = {4000, 0}, power_on[] = {85000, 85000, 85000, 5000, 0};
    Bus bus;
    bus.values[0] = good;
    bus.values[1] = power_on;
    Probes probes(&bus, ProbeTable(), 30000);
    uint32_t now = 0;
    int ticks = 0;
    while (!probes.tick(now += 750)) ticks++;
    CHECK_EQ(bus.requests, 4);
    CHECK_EQ(bus.reads[0], 1);
    CHECK(probes.result(1).status == ProbeStatus::Measured && probes.result(1).value == 5000);
    CHECK_EQ(probes.result(1).error_count, 3);
    CHECK_EQ(probes.result(0).error_count, 0);
}

TEST("a probe that stays away is silent after four tries, and one that really is hot is believed") {
    const int32_t gone[] = {kDisconnected, 0}, hot[] = {82000, 85000, 0};
    Bus bus;
    bus.values[0] = gone;
    bus.values[1] = hot;
    Probes probes(&bus, ProbeTable(), 1000);
    uint32_t now = 0;
    while (!probes.tick(now += 750)) {
    }
    CHECK(probes.result(0).status == ProbeStatus::Silent);
    CHECK_EQ(probes.result(0).error_count, 4);
    while (!probes.tick(now += 750)) {
    }
    CHECK(probes.result(1).status == ProbeStatus::Measured && probes.result(1).value == 85000);
}

namespace {

/// Ticks until a round is over, or until so much time has passed.
bool round(Probes* probes, uint32_t* now_ms, uint32_t most_ms = 60000) {
    for (const uint32_t end_ms = *now_ms + most_ms; *now_ms < end_ms;) {
        if (probes->tick(*now_ms += 250)) return true;
    }
    return false;
}

const int32_t kCold[] = {-18000, 0}, kCool[] = {4000, 0};

}  // namespace

TEST("an index belongs to a thermometer, whatever the order in which they are found") {
    Bus bus;
    bus.values[0] = kCold;
    bus.values[1] = kCool;
    uint32_t now = 0;
    Probes first(&bus, ProbeTable(), 30000);
    CHECK(round(&first, &now) && first.takes_change() && !first.takes_change());
    uint8_t record[ProbeTable::kRecordLen];
    first.table().put(record);

    // The next start finds them the other way round; the one after that finds one alone.
    ProbeTable kept;
    kept.parse(record);
    bus.roms[0] = kOther;
    bus.roms[1] = kOne;
    Probes second(&bus, kept, 30000);
    CHECK(round(&second, &now) && !second.takes_change());
    CHECK_EQ(second.result(0).value, 4000);
    CHECK_EQ(second.result(1).value, -18000);

    bus.values[1] = nullptr;
    Probes third(&bus, kept, 30000);
    CHECK(round(&third, &now) && !third.takes_change());
    CHECK(third.result(0).status == ProbeStatus::Silent);
    CHECK(third.result(1).status == ProbeStatus::Measured && third.result(1).value == -18000);
}

TEST("a thermometer that was missing is looked for again, and measures when it is back") {
    Bus bus;
    uint32_t now = 0;
    Probes probes(&bus, ProbeTable(), 30000);
    CHECK(!round(&probes, &now));
    CHECK_EQ(probes.count(), 0);
    CHECK(bus.searches >= 2);
    bus.values[0] = kCool;
    CHECK(round(&probes, &now));
    CHECK(probes.count() == 1 && probes.result(0).value == 4000);
    bus.values[1] = kCold;
    CHECK(round(&probes, &now));
    CHECK(probes.count() == 2 && probes.result(1).value == -18000);
    // With both there the wire is left in peace.
    const int searches = bus.searches;
    CHECK(round(&probes, &now));
    CHECK_EQ(bus.searches, searches);
    bus.values[0] = nullptr;
    CHECK(round(&probes, &now));
    CHECK(probes.result(0).status == ProbeStatus::Silent);
    bus.values[0] = kCool;
    CHECK(round(&probes, &now));
    CHECK(bus.searches > searches);
    CHECK(probes.result(0).status == ProbeStatus::Measured);
}

TEST("a third thermometer takes the index of one that is gone, and of none that is there") {
    ProbeTable table;
    const Rom both[] = {kOne, kOther}, all[] = {kOne, kOther, kThird}, replaced[] = {kThird, kOne};
    CHECK(table.learn(both, 2));
    CHECK(!table.learn(all, 3) && !table.learn(both + 1, 1));
    CHECK(table.learn(replaced, 2));
    CHECK(table[0] == kOne && table[1] == kThird);
    uint8_t record[ProbeTable::kRecordLen];
    table.put(record);
    ProbeTable kept;
    kept.parse(record);
    CHECK(kept.count() == 2 && kept[0] == kOne && kept[1] == kThird);
    const uint8_t erased[ProbeTable::kRecordLen] = {};
    kept.parse(erased);
    CHECK_EQ(kept.count(), 0);
}
