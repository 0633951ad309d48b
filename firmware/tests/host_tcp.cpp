// The transport against a peer in this process: over this machine's sockets, and over lwIP.
#include <string.h>
#include <time.h>

#include <thread>
#include <vector>

#include "../fridgecam/src/core/tcp.h"
#include "check.h"
#include "peer.h"

using namespace larder;

namespace {

constexpr SendLimits kPatient = {5000, 20000};

uint64_t now_ms() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace

TEST("three parts arrive as one, however small the pieces that the line takes") {
    Peer peer;
    Tcp tcp;
    CHECK(tcp.connect(peer.place(), 1000));
    peer.accept();
    std::vector<uint8_t> picture(6000000);
    for (size_t at = 0; at < picture.size(); at++) picture[at] = static_cast<uint8_t>(at * 31 >> 8);
    const uint8_t head[36] = {1, 2, 3}, trailer[16] = {9, 8, 7};
    std::vector<uint8_t> found(sizeof head + picture.size() + sizeof trailer);
    std::thread reader([&] {
        for (size_t at = 0; at < found.size();) {
            const size_t wanted = at % 7919 + 1, left = found.size() - at;
            const size_t came = peer.read(found.data() + at, wanted < left ? wanted : left);
            if (came == 0) return;
            at += came;
        }
    });
    const Part parts[] = {
        {head, sizeof head}, {picture.data(), picture.size()}, {trailer, 0}, {trailer, sizeof trailer}};
    uint32_t stall_ms;
    const bool is_sent = tcp.send(parts, 4, kPatient, &stall_ms);
    CHECK(is_sent);
    // What did not come is not waited for.
    if (!is_sent) tcp.close();
    reader.join();
    CHECK(memcmp(found.data(), head, sizeof head) == 0);
    CHECK(memcmp(found.data() + sizeof head, picture.data(), picture.size()) == 0);
    CHECK(memcmp(found.data() + sizeof head + picture.size(), trailer, sizeof trailer) == 0);
}

TEST("a send to a peer that does not read ends in time, and says how long it stood still") {
    Peer peer;
    Tcp tcp;
    CHECK(tcp.connect(peer.place(), 1000));
    peer.accept();
    std::vector<uint8_t> picture(20000000);
    const Part part = {picture.data(), picture.size()};
    uint32_t stall_ms;
    const uint64_t began_ms = now_ms();
    CHECK(!tcp.send(&part, 1, {300, 20000}, &stall_ms));
    CHECK(stall_ms >= 290 && now_ms() - began_ms < 5000);
}

TEST("a peer that hangs up is noticed, reading and writing") {
    Peer peer;
    Tcp tcp;
    CHECK(tcp.connect(peer.place(), 1000));
    peer.accept();
    uint8_t to[16];
    CHECK_EQ(tcp.receive(to, sizeof to, 10), 0);
    peer.write("hello", 5);
    CHECK_EQ(tcp.receive(to, sizeof to, 1000), 5);
    peer.hang_up();
    CHECK(tcp.receive(to, sizeof to, 1000) < 0);
    std::vector<uint8_t> much(1000000);
    const Part part = {much.data(), much.size()};
    uint32_t stall_ms;
    bool is_sent = true;
    for (int tries = 0; is_sent && tries < 100; tries++) is_sent = tcp.send(&part, 1, kPatient, &stall_ms);
    CHECK(!is_sent);
}

TEST("a send that goes on for too long in all ends, although it moves") {
    Peer peer;
    Tcp tcp;
    CHECK(tcp.connect(peer.place(), 1000));
    peer.accept();
    // The peer takes at most 10 MB a second.
    std::vector<uint8_t> picture(40000000), some(100000);
    size_t read = 0;
    std::thread reader([&] {
        const timespec pause = {0, 10000000};
        for (size_t came; (came = peer.read(some.data(), some.size())) > 0; read += came) nanosleep(&pause, nullptr);
    });
    const Part part = {picture.data(), picture.size()};
    uint32_t stall_ms;
    const uint64_t began_ms = now_ms();
    CHECK(!tcp.send(&part, 1, {5000, 1000}, &stall_ms));
    const uint64_t took_ms = now_ms() - began_ms;
    CHECK(took_ms >= 990 && took_ms < 2000);
    tcp.close();
    peer.end();
    reader.join();
    CHECK(read > 50000 && read < picture.size());
}

TEST("digits are an address, and a name that nobody has is none") {
    Places places;
    resolve("192.168.7.9", 7440, &places);
    CHECK_EQ(places.count(), 1);
    const Place expected = {{192, 168, 7, 9}, 7440};
    CHECK(memcmp(&places[0], &expected, sizeof expected) == 0);
    resolve("0.0.0.0", 7440, &places);
    resolve("no-such-host.invalid", 7440, &places);
    CHECK_EQ(places.count(), 1);
}

TEST("a datagram arrives, and one that can't go out is no harm") {
    DatagramPeer peer;
    Udp udp;
    uint8_t found[100];
    for (uint8_t round = 1; round <= 3; round++) {
        CHECK(udp.send(peer.place(), &round, 1));
        CHECK_EQ(peer.read(found, sizeof found), 1);
        CHECK_EQ(found[0], round);
    }
    static uint8_t large[100000];
    CHECK(!udp.send(peer.place(), large, sizeof large));
    CHECK(udp.send(peer.place(), large, 1));
}

TEST("nobody there is an answer, not a wait") {
    Place place;
    {
        Peer gone;
        place = gone.place();
    }
    Tcp tcp;
    CHECK(!tcp.connect(place, 1000));
    uint8_t to[1];
    CHECK(tcp.receive(to, 1, 0) < 0);
    const Part part = {to, 1};
    uint32_t stall_ms;
    CHECK(!tcp.send(&part, 1, {10, 10}, &stall_ms));
}
