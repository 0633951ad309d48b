// Where the hub may be, and what is done about a network that does not work.
#include "../fridgecam/src/core/place.h"
#include "../fridgecam/src/core/radio.h"
#include "check.h"

using namespace larder;

namespace {

/// A board's network: what is tried, over time.
struct Rig {
    Radio radio;
    bool is_up = false;
    bool is_heard = false;
    uint32_t now_ms = 0;
    int reconnects = 0, cycles = 0, restarts = 0;
    uint32_t first_ms = 0;

    /// Lets so much time pass; ends with a restart.
    void run(uint32_t ms) {
        const uint32_t began_ms = now_ms;
        reconnects = cycles = restarts = 0;
        first_ms = 0;
        while (now_ms - began_ms < ms && restarts == 0) {
            now_ms += 100;
            if (is_heard) radio.heard(now_ms);
            const Remedy remedy = radio.tend(is_up, now_ms);
            reconnects += remedy == Remedy::Reconnect;
            cycles += remedy == Remedy::RadioOffAndOn;
            restarts += remedy == Remedy::Restart;
            if (remedy != Remedy::None && first_ms == 0) first_ms = now_ms - began_ms;
        }
    }
};

constexpr uint32_t kMinute = 60000;

}  // namespace

TEST("places are what somebody can be at, each once") {
    Places places;
    const uint8_t nobody[] = {0, 0, 0, 0}, all[] = {255, 255, 255, 255}, group[] = {224, 0, 0, 251};
    const uint8_t hub[] = {192, 168, 1, 2};
    places.add(nobody, 7440);
    places.add(all, 7440);
    places.add(group, 7440);
    places.add(hub, 0);
    CHECK_EQ(places.count(), 0);
    places.add(hub, 7440);
    places.add(hub, 7440);
    places.add(hub, 7441);
    CHECK_EQ(places.count(), 2);
    for (uint8_t other = 0; other < 20; other++) {
        const uint8_t ip[] = {10, 0, 0, other};
        places.add(ip, 7440);
    }
    CHECK_EQ(places.count(), Places::kMost);
}

TEST("the camera's own network comes first, the rest in its order") {
    const uint8_t ips[][4] = {{172, 17, 0, 1}, {10, 8, 0, 1}, {192, 168, 1, 2}, {100, 64, 0, 1}, {192, 168, 1, 3}};
    Places places;
    for (const uint8_t* ip : ips) places.add(ip, 7440);
    const uint8_t own[] = {192, 168, 1, 77}, mask[] = {255, 255, 255, 0};
    places.prefer(own, mask);
    const uint8_t firsts[] = {192, 192, 172, 10, 100};
    for (size_t at = 0; at < 5; at++) CHECK_EQ(places[at].ip[0], firsts[at]);
    CHECK(places[0].ip[3] == 2 && places[1].ip[3] == 3);
}

TEST("the network is up when the events and the driver say so") {
    Radio radio;
    CHECK(!radio.is_up(true));
    radio.got_address();
    CHECK(radio.is_up(true) && !radio.is_up(false));
    radio.lost();
    CHECK(!radio.is_up(true));
}

TEST("a lost network is helped within seconds, then more strongly, and at last by a restart") {
    Rig rig;
    rig.is_up = rig.is_heard = true;
    rig.run(60 * kMinute);
    CHECK_EQ(rig.reconnects + rig.cycles + rig.restarts, 0);
    rig.is_up = rig.is_heard = false;
    rig.run(2 * kMinute);
    CHECK(rig.first_ms >= Radio::kFirstHelpMs && rig.first_ms <= Radio::kFirstHelpMs + 200);
    CHECK(rig.reconnects == 3 && rig.cycles == 1 && rig.restarts == 0);
    rig.run(60 * kMinute);
    CHECK(rig.reconnects > 3 && rig.cycles > 3 && rig.restarts == 1);
    CHECK_EQ(rig.now_ms, 60 * kMinute + Radio::kRestartMs);
}

TEST("a network that is up in name alone is renewed when the hub is silent") {
    Rig rig;
    rig.is_up = rig.is_heard = true;
    rig.run(10 * kMinute);
    rig.is_heard = false;
    rig.run(4 * kMinute);
    CHECK(rig.reconnects == 1 && rig.cycles == 0);
    rig.run(3 * kMinute);
    CHECK(rig.reconnects == 0 && rig.cycles == 1);
    rig.is_heard = true;
    rig.run(20 * kMinute);
    CHECK_EQ(rig.reconnects + rig.cycles + rig.restarts, 0);
    rig.is_heard = false;
    rig.run(20 * kMinute);
    CHECK_EQ(rig.restarts, 1);
}

TEST("a hub that answers, be it with a refusal, needs no restart; time may run over") {
    Rig rig;
    rig.now_ms = 4294967296u - 5 * kMinute;
    rig.radio.heard(rig.now_ms);
    rig.is_up = true;
    for (int minute = 0; minute < 60; minute++) {
        rig.run(kMinute);
        CHECK_EQ(rig.reconnects + rig.cycles + rig.restarts, 0);
        rig.radio.heard(rig.now_ms);
    }
}
