// How long lwIP takes when nobody answers.
extern "C" {
#include <lwip/dns.h>
#include <lwip/tcpip.h>
}

#include <atomic>
#include <chrono>
#include <future>

#include "../fridgecam/src/core/tcp.h"
#include "../tests/check.h"
#include "../tests/peer.h"
#include "line.h"

using namespace larder;

namespace {

// The board's watchdog waits for so long.
constexpr long kWatchdogMs = 30000;

template <typename What>
long took_ms(What what) {
    const auto began = std::chrono::steady_clock::now();
    what();
    const auto took = std::chrono::steady_clock::now() - began;
    return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

/// As DHCP does it on the board. Nobody listens at these places.
void set_name_servers(uint8_t count) {
    std::promise<void> is_done;
    static std::promise<void>* done;
    static uint8_t servers;
    done = &is_done;
    servers = count;
    tcpip_callback(
        [](void*) {
            for (uint8_t at = 0; at < DNS_MAX_SERVERS; at++) {
                ip_addr_t address = IPADDR4_INIT_BYTES(127, 0, 0, static_cast<uint8_t>(53 + at));
                dns_setserver(at, at < servers ? &address : nullptr);
            }
            done->set_value();
        },
        nullptr);
    is_done.get_future().wait();
}

}  // namespace

TEST("name servers that are gone cost 7 s each, and all of them less than the watchdog's time") {
    Places places;
    set_name_servers(1);
    const long one_ms = took_ms([&] { resolve("hub.example", 7440, &places); });
    CHECK(one_ms > 5000 && one_ms < 8500);
    set_name_servers(DNS_MAX_SERVERS);
    const long all_ms = took_ms([&] { resolve("pi.example", 7440, &places); });
    CHECK(all_ms > 2 * one_ms && all_ms < kWatchdogMs);
    CHECK_EQ(places.count(), 0);
    // Digits need nobody.
    CHECK(took_ms([&] { resolve("192.168.1.2", 7440, &places); }) < 100);
    CHECK_EQ(places.count(), 1);
    set_name_servers(0);
}

TEST("a place where nobody answers is given up in its time") {
    Peer peer;
    Tcp tcp;
    line::lose(1);
    const long silent_ms = took_ms([&] { CHECK(!tcp.connect(peer.place(), 1500)); });
    line::lose(0);
    CHECK(silent_ms >= 1490 && silent_ms < 2500);
    CHECK(tcp.connect(peer.place(), 1500));
    peer.accept();
}

TEST("a peer that vanishes in the middle of a message is given up in its time") {
    Peer peer;
    Tcp tcp;
    CHECK(tcp.connect(peer.place(), 1000));
    peer.accept();
    static uint8_t picture[30000];
    const Part part = {picture, sizeof picture};
    uint32_t stall_ms = 0;
    line::lose(1);
    const long took = took_ms([&] { CHECK(!tcp.send(&part, 1, {1000, 20000}, &stall_ms)); });
    line::lose(0);
    CHECK(took >= 990 && took < 2000 && stall_ms >= 990);
    uint8_t none;
    CHECK_EQ(tcp.receive(&none, 1, 50), 0);
}
