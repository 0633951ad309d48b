// The sketch's files that hold the board together, against a vendor's side in memory: the order of their calls.
#include "../../fridgecam/rescue.h"
#include "../../fridgecam/settings_store.h"
#include "../../fridgecam/wlan.h"
#include "../../fridgecam/src/core/lockout.h"
#include "../../fridgecam/src/core/radio.h"
#include "board.h"

using namespace fake_board;

namespace {

larder::Settings network() {
    larder::Settings settings = larder::first_settings();
    strcpy(settings.ssid, "home");
    strcpy(settings.password, "12345678");
    settings.camera[14] = 0xab;
    settings.camera[15] = 0xcd;
    return settings;
}

/// A board that has just been started, with an empty flash or as it was left.
void start(bool is_erased) {
    static larder::Settings settings;
    settings = network();
    if (is_erased) flash.clear();
    writes_left = -1;
    calls.clear();
    answers.clear();
    restarts = 0;
    is_associated = false;
    settings_store::begin();
    wlan::begin(settings);
    happen(ARDUINO_EVENT_WIFI_STA_DISCONNECTED);
    wlan::heard();
    wlan::tend();
}

/// Lets so much time pass, as the board's loop does.
void run(uint32_t ms, void (*tend)()) {
    for (const uint32_t end_ms = time_ms + ms; time_ms < end_ms && restarts == 0; time_ms += 100) tend();
}

}  // namespace

TEST("the name is set before the radio is on, and all channels are looked at before it connects") {
    start(true);
    const int name = place_of("name fridgecam-abcd"), mode = place_of("mode STA"), scan = place_of("scan all");
    CHECK(name >= 0 && name < mode && mode < scan && scan < place_of("begin home"));
    CHECK(place_of("no sleep") >= 0 && place_of("not persistent") < mode);
}

TEST("the network is up only as long as events and driver agree, and is known as joined from then on") {
    start(true);
    CHECK(!wlan::was_joined() && !wlan::is_up());
    is_associated = true;
    CHECK(!wlan::is_up());
    happen(ARDUINO_EVENT_WIFI_STA_GOT_IP);
    CHECK(wlan::is_up());
    wlan::tend();
    CHECK(wlan::was_joined());
    happen(ARDUINO_EVENT_WIFI_STA_DISCONNECTED);
    CHECK(!wlan::is_up());
    happen(ARDUINO_EVENT_WIFI_STA_GOT_IP);
    is_associated = false;
    CHECK(!wlan::is_up());
    start(false);
    CHECK(wlan::was_joined());
    start(true);
    CHECK(!wlan::was_joined());
}

TEST("without Wi-Fi it connects anew, then switches the radio off and on, then restarts") {
    start(true);
    run(larder::Radio::kFirstHelpMs + 200, wlan::tend);
    CHECK_EQ(count_of("reconnect"), 1);
    run(100000, wlan::tend);
    const int off = place_of("mode OFF");
    CHECK(place_of("disconnect") >= 0 && place_of("disconnect") < off);
    CHECK(place_of("name fridgecam-abcd", off) < place_of("mode STA", off));
    CHECK(place_of("begin home", off) > off);
    run(larder::Radio::kRestartMs, wlan::tend);
    CHECK_EQ(restarts, 1);
}

TEST("mDNS gives every IPv4 address of every hub, those of the own network first, and never nobody's") {
    start(true);
    answers = {{7440, {{}, {172, 17, 0, 1}, {10, 8, 0, 1}}},
               {7440, {{0, 0, 0, 0}}},
               {7450, {{192, 168, 1, 2}}},
               {7440, {}}};
    larder::Places places;
    wlan::find_hub(network(), &places);
    CHECK_EQ(places.count(), 3);
    CHECK(places[0].ip[3] == 2 && places[0].port == 7450);
    CHECK(places[1].ip[0] == 172 && places[2].ip[0] == 10);
    // A stored address is not looked for.
    larder::Settings stored = network();
    strcpy(stored.hub, "192.168.1.9");
    places.clear();
    wlan::find_hub(stored, &places);
    CHECK(places.count() == 1 && places[0].ip[3] == 9);
}

TEST("nothing is kept in a flash that can't be written, and everything says so") {
    start(true);
    larder::Settings found;
    writes_left = 0;
    CHECK(!settings_store::save(network()) && !settings_store::forget() && !settings_store::want_portal());
    CHECK(!settings_store::set_joined(1) && !settings_store::set_quick_starts(1));
    CHECK(!settings_store::save_probes(larder::ProbeTable()));
    settings_store::load(&found);
    CHECK(found.ssid[0] == 0);
    writes_left = -1;
    CHECK(settings_store::save(network()));
    settings_store::load(&found);
    CHECK(strcmp(found.ssid, "home") == 0);
    CHECK_EQ(settings_store::count_boot(), 1);
    CHECK_EQ(settings_store::count_boot(), 2);
    CHECK(settings_store::forget());
    settings_store::load(&found);
    CHECK(found.ssid[0] == 0);
    // The count of starts is no setting.
    CHECK_EQ(settings_store::count_boot(), 3);
    CHECK(settings_store::forget_probes());
}

TEST("three quick starts by hand open the portal once, slow ones and restarts do not") {
    start(true);
    pressed_ms = released_ms = 0;
    reset_reason = 1;
    CHECK(!rescue::wants_portal() && !rescue::wants_portal() && rescue::wants_portal());
    CHECK(!rescue::wants_portal() && !rescue::wants_portal());
    // A watchdog is nobody's hand.
    reset_reason = 6;
    CHECK(!rescue::wants_portal());
    reset_reason = 1;
    CHECK(!rescue::wants_portal() && !rescue::wants_portal());
}

TEST("the button opens it when it is pressed after the start and held") {
    start(true);
    reset_reason = 3;
    pressed_ms = time_ms + 1000;
    released_ms = time_ms + 6000;
    CHECK(rescue::wants_portal());
    pressed_ms = time_ms + 1000;
    released_ms = time_ms + 2000;
    CHECK(!rescue::wants_portal());
    pressed_ms = time_ms + 3000;
    released_ms = time_ms + 9000;
    CHECK(!rescue::wants_portal());
}

TEST("a network that was never joined opens the portal with the next start, one that was joined never") {
    reset_reason = 3;
    pressed_ms = released_ms = 0;
    start(true);
    happen(ARDUINO_EVENT_WIFI_STA_GOT_IP);
    is_associated = true;
    wlan::tend();
    run(larder::kNeverJoinedMs * 2, rescue::tend);
    CHECK_EQ(restarts, 0);
    start(true);
    // Times count from the board's start.
    time_ms = 0;
    run(larder::kNeverJoinedMs - 1000, rescue::tend);
    CHECK_EQ(restarts, 0);
    run(2000, rescue::tend);
    CHECK_EQ(restarts, 1);
    CHECK(rescue::wants_portal());
    CHECK(!rescue::wants_portal());
}
