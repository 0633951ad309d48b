// Settings in a flash that fails, and the way back into a board that was set up wrongly.
#include "../fridgecam/src/core/lockout.h"
#include "../fridgecam/src/core/settings.h"
#include "check.h"

using namespace larder;

namespace {

class Flash : public Vault {
public:
    bool write(const uint8_t* record, size_t count) override {
        if (refuses) return false;
        memcpy(held, record, count);
        if (is_worn) held[count / 2] ^= 1;
        held_len = is_short ? count - 1 : count;
        return true;
    }
    size_t read(uint8_t* to, size_t room) override {
        if (held_len > room) return 0;
        memcpy(to, held, held_len);
        return held_len;
    }
    bool erase() override {
        held_len = 0;
        return true;
    }
    uint8_t held[kRecordLen];
    size_t held_len = 0;
    bool refuses = false;
    bool is_worn = false;
    bool is_short = false;
};

Settings some() {
    Settings settings = first_settings();
    strcpy(settings.ssid, "a net\xff\x01");
    strcpy(settings.password, "correct horse");
    strcpy(settings.hub, "pi.local");
    settings.hub_port = 7444;
    settings.has_camera = true;
    memset(settings.camera, 3, sizeof settings.camera);
    memset(settings.key, 7, sizeof settings.key);
    settings.xclk_mhz = 10;
    return settings;
}

bool is_same(const Settings& one, const Settings& other) { return memcmp(&one, &other, sizeof one) == 0; }

}  // namespace

TEST("settings come back as they were kept") {
    Flash flash;
    Settings found;
    CHECK(!load(&flash, &found) && is_same(found, first_settings()));
    CHECK(found.xclk_mhz == 20 && found.hub_port == 7440 && !found.is_complete());
    CHECK(keep(some(), &flash));
    CHECK(load(&flash, &found) && is_same(found, some()));
}

TEST("a flash that does not take them, or not all of them, keeps nothing") {
    for (int fault = 0; fault < 3; fault++) {
        Flash flash;
        flash.refuses = fault == 0;
        flash.is_worn = fault == 1;
        flash.is_short = fault == 2;
        CHECK(!keep(some(), &flash));
        Settings found;
        CHECK(!load(&flash, &found) && is_same(found, first_settings()));
    }
}

TEST("a record with any byte changed is none") {
    Flash flash;
    CHECK(keep(some(), &flash));
    for (size_t at = 0; at < kRecordLen; at++) {
        flash.held[at] ^= 0x40;
        Settings found;
        CHECK(!load(&flash, &found) && is_same(found, first_settings()));
        flash.held[at] ^= 0x40;
    }
}

TEST("another password or another name is another network") {
    Settings mistyped = some();
    strcpy(mistyped.password, "correct house");
    Settings other = some();
    strcpy(other.ssid, "another");
    Settings moved = some();
    strcpy(moved.hub, "10.0.0.9");
    CHECK(network_mark(mistyped) != network_mark(some()));
    CHECK(network_mark(other) != network_mark(some()));
    CHECK_EQ(network_mark(moved), network_mark(some()));
}

TEST("three quick starts by hand count, and no others") {
    constexpr uint8_t power_on = 1, external = 2, software = 3, panic = 4, watchdog = 6, brownout = 9;
    uint8_t count = 0;
    CHECK_EQ(count = quick_starts(count, power_on), 1);
    CHECK_EQ(count = quick_starts(count, external), 2);
    CHECK_EQ(count = quick_starts(count, power_on), kQuickResets);
    CHECK_EQ(quick_starts(count, power_on), kQuickResets);
    const uint8_t others[] = {0, software, panic, watchdog, brownout};
    for (const uint8_t reason : others) CHECK_EQ(quick_starts(2, reason), 0);
}

TEST("the button has to be pressed soon, and held") {
    constexpr uint32_t start = 4294967000u;
    LongPress never(start);
    CHECK(never.tick(false, start) == LongPress::State::Undecided);
    CHECK(never.tick(false, start + 1499) == LongPress::State::Undecided);
    CHECK(never.tick(false, start + 1500) == LongPress::State::Not);
    LongPress brief(start);
    CHECK(brief.tick(true, start + 1400) == LongPress::State::Undecided);
    CHECK(brief.tick(true, start + 4399) == LongPress::State::Undecided);
    CHECK(brief.tick(false, start + 4399) == LongPress::State::Not);
    LongPress held(start);
    CHECK(held.tick(true, start) == LongPress::State::Undecided);
    CHECK(held.tick(true, start + 3000) == LongPress::State::Held);
}
