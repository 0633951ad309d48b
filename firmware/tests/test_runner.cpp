// A camera's day against a hub in memory.
#include "../fridgecam/src/core/runner.h"
#include "fake.h"

using namespace larder;

namespace {

// 24 by 16 pixels; then its end, and what a driver pads it with.
const uint8_t kGood[] = {0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 24, 1, 1, 0x11, 0,
                         0xff, 0xda, 0, 2, 0xff, 0xd9, 0, 0, 0};
const uint8_t kBad[] = {0xff, 0xd8, 1, 2, 3, 4};
// Where one begins and another ends.
const uint8_t kTorn[] = {0xff, 0xd8, 1, 2, 3, 4, 0xff, 0xd9};

class Lens : public Eye {
public:
    explicit Lens(fake::Board* board) : board_(board) {}
    bool take(Picture* picture) override {
        board_->time_us += takes_ms * 1000;
        if (is_blind) return false;
        taken++;
        *picture = Picture{jpeg, jpeg_len, quality, 0, board_->time_us - age_us};
        return true;
    }
    void give_back() override { given_back++; }
    void set_quality(uint8_t wanted) override { quality = wanted; }
    const uint8_t* jpeg = kGood;
    size_t jpeg_len = sizeof kGood;
    uint64_t age_us = 0;
    uint32_t takes_ms = 0;
    uint8_t quality = 0;
    bool is_blind = false;
    int taken = 0;
    int given_back = 0;

private:
    fake::Board* board_;
};

class Log : public Watcher {
public:
    void opened() override { sessions++; }
    void ended(Bye reason, uint32_t wait_ms) override {
        last = reason;
        wait = wait_ms;
        ends++;
    }
    void sent(const Picture&, uint32_t number) override { newest = number; }
    int sessions = 0;
    int ends = 0;
    Bye last = Bye::None;
    uint32_t wait = 0;
    uint32_t newest = 0;
};

class Map : public Finder {
public:
    explicit Map(fake::Board* board) : board_(board) { known.add(fake::kHub.ip, fake::kHub.port); }
    void find(Places* to) override {
        asked++;
        board_->time_us += 1000ull * takes_ms;
        *to = known;
    }
    Places known;
    int asked = 0;
    uint32_t takes_ms = 0;

private:
    fake::Board* board_;
};

struct Rig {
    fake::Board board;
    fake::Hub hub;
    Link link;
    Lens lens;
    Log log;
    Map map;
    Runner runner;

    Rig()
        : hub(&board, vectors::kKey),
          link(vectors::kKey, &hub, &board, nullptr),
          lens(&board),
          map(&board),
          runner(&link, &board, &lens, &log, &map) {
        runner.pace().want(10, 10, 15);
    }

    /// Steps until the clock has moved so far. Like the board, it waits for a second at most and then says that it is
    /// alive.
    void run(uint32_t ms) {
        const uint64_t end_us = board.time_us + ms * 1000;
        while (board.time_us < end_us) {
            board.alive();
            const uint32_t wait_ms = runner.step();
            board.time_us += (wait_ms < 1000 ? wait_ms : 1000) * 1000;
        }
    }
};

}  // namespace

TEST("a picture ends at its last end, or is none") {
    CHECK_EQ(jpeg_length(kGood, sizeof kGood), sizeof kGood - 3);
    CHECK_EQ(jpeg_length(kBad, sizeof kBad), 0);
    CHECK_EQ(jpeg_length(kGood + 1, sizeof kGood - 1), 0);
    for (size_t count = 0; count < sizeof kGood - 3; count++) CHECK_EQ(jpeg_length(kGood, count), 0);
    static uint8_t padded[5000];
    padded[0] = 0xff;
    padded[1] = 0xd8;
    padded[3000] = 0xff;
    padded[3001] = 0xd9;
    CHECK_EQ(jpeg_length(padded, 4000), 3002);
    CHECK_EQ(jpeg_length(padded, 5000), 0);
}

TEST("pictures go out at the wanted rate, and each is given back") {
    Rig rig;
    rig.run(1900);
    CHECK_EQ(rig.runner.counts().sent, 20);
    CHECK_EQ(rig.log.newest, 19);
    CHECK_EQ(rig.lens.quality, 15);
    CHECK_EQ(rig.lens.given_back, rig.lens.taken);
    CHECK_EQ(rig.runner.counts().dropped, 0);
}

TEST("a picture that is none is counted and not sent, and no picture at all ends nothing") {
    Rig rig;
    rig.lens.jpeg = kBad;
    rig.lens.jpeg_len = sizeof kBad;
    rig.run(400);
    CHECK_EQ(rig.runner.counts().corrupt, 5);
    rig.lens.jpeg = kTorn;
    rig.lens.jpeg_len = sizeof kTorn;
    rig.run(500);
    CHECK_EQ(rig.runner.counts().corrupt, 10);
    CHECK_EQ(rig.runner.counts().sent, 0);
    CHECK_EQ(rig.lens.given_back, 10);
    rig.lens.is_blind = true;
    rig.run(1000);
    CHECK(rig.link.is_open());
}

TEST("time that was missed is not caught up on, but counted") {
    Rig rig;
    rig.run(450);
    rig.board.time_us += 1000000;
    rig.run(100);
    CHECK(rig.runner.counts().dropped >= 9 && rig.runner.counts().dropped <= 10);
    CHECK_EQ(rig.runner.counts().captured, rig.runner.counts().sent + rig.runner.counts().dropped);
}

TEST("a hub that is away is dialled again, ever more seldom, and a session begins anew") {
    Rig rig;
    rig.run(300);
    rig.hub.is_open = rig.hub.is_reachable = false;
    rig.run(60000);
    CHECK_EQ(rig.log.sessions, 1);
    // 0.5, 1, 2, 4, 8, 16 and 30 seconds, each up to a quarter less.
    CHECK(rig.log.ends >= 7 && rig.log.ends <= 9);
    CHECK(rig.log.last == Bye::Lost && rig.runner.until_dial_ms() <= 30000);
    rig.hub.is_reachable = true;
    rig.run(31000);
    CHECK_EQ(rig.log.sessions, 2);
    CHECK_EQ(rig.runner.counts().reconnects, 1);
    CHECK_EQ(rig.runner.until_dial_ms(), 0);
}

TEST("a hub that refuses is left alone for a minute") {
    Rig rig;
    rig.hub.early_bye = static_cast<int>(Bye::UnknownCamera);
    rig.run(59000);
    CHECK_EQ(rig.log.ends, 1);
    CHECK(rig.log.last == Bye::UnknownCamera && rig.log.wait >= 60000);
}

TEST("a picture's size is what its JPEG says, and its time is when it was taken") {
    Rig rig;
    rig.lens.age_us = 123000;
    rig.run(50);
    Packet packet;
    CHECK(rig.hub.heard(Kind::Frame, &packet));
    Reader in(packet.payload, packet.header.length);
    CHECK_EQ(in.u32(), 1);
    CHECK_EQ(in.u16(), 24);
    CHECK_EQ(in.u16(), 16);
    in.u16();
    CHECK_EQ(in.u16(), 123);
    CHECK_EQ(packet.header.t_us, 1100000 - 123000);
}

TEST("the size stands in the frame header, wherever that is") {
    uint16_t width = 0, height = 0;
    CHECK(jpeg_size(kGood, sizeof kGood, &width, &height) && width == 24 && height == 16);
    const uint8_t later[] = {0xff, 0xd8, 0xff, 0xe0, 0, 4, 0xff, 0xc0, 0xff, 0xc4, 0, 3, 9,
                             0xff, 0xc2, 0, 8, 8, 4, 0xb0, 6, 0x40, 0, 0xff, 0xd9};
    CHECK(jpeg_size(later, sizeof later, &width, &height) && width == 1600 && height == 1200);
    for (size_t count = 0; count < 22; count++) CHECK(!jpeg_size(later, count, &width, &height));
    const uint8_t data_first[] = {0xff, 0xd8, 0xff, 0xda, 0, 2, 0xff, 0xc0, 0, 11, 8, 0, 16, 0, 24, 1};
    CHECK(!jpeg_size(data_first, sizeof data_first, &width, &height));
    const uint8_t endless[] = {0xff, 0xd8, 0xff, 0xe0, 0, 0, 0xff, 0xe0, 0, 0, 0, 0};
    CHECK(!jpeg_size(endless, sizeof endless, &width, &height));
}

TEST("all places are tried before a rest, and asked for anew after it") {
    Rig rig;
    const uint8_t bridge[4] = {172, 17, 0, 1}, other[4] = {10, 8, 0, 1};
    rig.map.known.clear();
    rig.map.known.add(bridge, 7440);
    rig.map.known.add(other, 7440);
    rig.map.known.add(fake::kHub.ip, fake::kHub.port);
    rig.hub.only = fake::kHub;
    Place place;
    CHECK(!rig.runner.hub(&place));
    rig.run(11000);
    CHECK_EQ(rig.log.sessions, 1);
    CHECK_EQ(rig.log.ends, 0);
    CHECK_EQ(rig.hub.dials, 3);
    CHECK_EQ(rig.map.asked, 1);
    CHECK(rig.runner.hub(&place) && memcmp(&place, &fake::kHub, sizeof place) == 0);
    rig.hub.is_open = rig.hub.is_reachable = false;
    rig.run(15000);
    CHECK_EQ(rig.map.asked, 2);
    CHECK_EQ(rig.hub.dials, 6);
    CHECK_EQ(rig.log.ends, 2);
}

TEST("another's hub that refuses does not make the own one wait a minute") {
    Rig rig;
    const uint8_t neighbour[4] = {192, 168, 1, 77};
    rig.map.known.add(neighbour, 7440);
    rig.hub.early_bye = static_cast<int>(Bye::UnknownCamera);
    rig.hub.only = {{192, 168, 1, 77}, 7440};
    rig.run(5500);
    CHECK_EQ(rig.log.ends, 1);
    CHECK(rig.log.last == Bye::Lost && rig.log.wait <= 500);
}

TEST("a hub that is not found is looked for again, ever more seldom") {
    Rig rig;
    rig.map.known.clear();
    rig.run(60000);
    CHECK_EQ(rig.hub.dials, 0);
    CHECK(rig.map.asked >= 7 && rig.map.asked <= 9);
}

TEST("a slow name server and a slow connection take nothing from the handshake") {
    Rig rig;
    rig.map.takes_ms = 21000;
    rig.hub.connect_ms = 4900;
    rig.run(26000);
    CHECK_EQ(rig.log.sessions, 1);
    // The watchdog waits 30 s.
    CHECK(rig.board.longest_us < 22000000);
}

TEST("whatever the hub does, the board says within the watchdog's time that it is alive") {
    Rig rig;
    rig.run(1000);
    // Longer than a driver waits, and nearly as long as a send may take.
    rig.lens.takes_ms = 6000;
    rig.hub.send_ms = 19500;
    rig.run(60000);
    rig.hub.send_ms = kSendLimits.total_ms;
    rig.run(60000);
    rig.hub.send_ms = 0;
    rig.hub.is_stalled = true;
    rig.run(60000);
    rig.hub.is_reachable = false;
    rig.run(60000);
    CHECK(rig.log.ends > 3);
    CHECK(rig.board.longest_us < 25000000);
}

TEST("a picture that took all of its time makes the next ones small and few") {
    Rig rig;
    rig.run(100);
    rig.hub.send_ms = kSendLimits.total_ms;
    rig.run(kSendLimits.total_ms + 200);
    CHECK(rig.log.last == Bye::Lost);
    CHECK(rig.runner.pace().is_lowered());
    CHECK(rig.runner.pace().quality() > 15);
    CHECK_EQ(rig.runner.pace().tenths_fps(0), 12);
}
