#include "settings_store.h"

#include <Arduino.h>
#include <Preferences.h>

namespace settings_store {

namespace {

const char kRecord[] = "settings";
const char kBoot[] = "boot";
const char kQuick[] = "quick";
const char kJoined[] = "joined";
const char kPortal[] = "portal";
const char kProbes[] = "probes";

// What `forget` clears, and what it does not.
Preferences settings_space;
Preferences board_space;

class Flash : public larder::Vault {
public:
    bool write(const uint8_t* record, size_t count) override {
        return settings_space.putBytes(kRecord, record, count) == count;
    }
    size_t read(uint8_t* to, size_t room) override {
        // The library complains aloud of a record that is not there.
        return settings_space.isKey(kRecord) ? settings_space.getBytes(kRecord, to, room) : 0;
    }
    bool erase() override { return settings_space.clear(); }
};

Flash flash;

// A put returns how many bytes it wrote, 0 when it failed.
bool put(const char* key, uint8_t value) { return board_space.putUChar(key, value) == sizeof value; }
bool put(const char* key, uint32_t value) { return board_space.putUInt(key, value) == sizeof value; }

}  // namespace

void begin() {
    settings_space.begin("larder", false);
    board_space.begin("larder-board", false);
}

void load(larder::Settings* settings) { larder::load(&flash, settings); }

bool save(const larder::Settings& settings) { return larder::keep(settings, &flash); }

bool forget() { return flash.erase(); }

uint32_t count_boot() {
    const uint32_t boot = board_space.getUInt(kBoot, 0) + 1;
    if (!put(kBoot, boot)) Serial.println("flash: the count of starts could not be written; readings may be refused");
    return boot;
}

uint8_t quick_starts() { return board_space.getUChar(kQuick, 0); }

bool set_quick_starts(uint8_t count) { return put(kQuick, count); }

bool was_joined(uint32_t mark) { return board_space.isKey(kJoined) && board_space.getUInt(kJoined, 0) == mark; }

bool set_joined(uint32_t mark) { return put(kJoined, mark); }

bool want_portal() { return put(kPortal, static_cast<uint8_t>(1)); }

bool takes_portal() {
    if (board_space.getUChar(kPortal, 0) == 0) return false;
    // One that can't be cleared would open it at each start.
    return put(kPortal, static_cast<uint8_t>(0));
}

void load_probes(larder::ProbeTable* table) {
    uint8_t record[larder::ProbeTable::kRecordLen];
    if (board_space.isKey(kProbes) && board_space.getBytes(kProbes, record, sizeof record) == sizeof record) {
        table->parse(record);
    }
}

bool save_probes(const larder::ProbeTable& table) {
    uint8_t record[larder::ProbeTable::kRecordLen];
    table.put(record);
    return board_space.putBytes(kProbes, record, sizeof record) == sizeof record;
}

bool forget_probes() { return !board_space.isKey(kProbes) || board_space.remove(kProbes); }

}  // namespace settings_store
