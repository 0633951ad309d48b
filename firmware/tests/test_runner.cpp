// A camera's day against a hub in memory.
#include "../fridgecam/src/core/runner.h"
#include "fake.h"

using namespace larder;

namespace {

const uint8_t kGood[] = {0xff, 0xd8, 1, 2, 0xff, 0xd9, 0, 0, 0};
const uint8_t kBad[] = {0xff, 0xd8, 1, 2, 3, 4};

class Lens : public Eye {
public:
    explicit Lens(fake::Board* board) : board_(board) {}
    bool take(Picture* picture) override {
        if (is_blind) return false;
        taken++;
        *picture = Picture{is_broken ? kBad : kGood, is_broken ? sizeof kBad : sizeof kGood, 8, 8, quality, 0,
                           board_->time_us};
        return true;
    }
    void give_back() override { given_back++; }
    void set_quality(uint8_t wanted) override { quality = wanted; }
    uint8_t quality = 0;
    bool is_broken = false;
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

struct Rig {
    fake::Board board;
    fake::Hub hub;
    Link link;
    Lens lens;
    Log log;
    Runner runner;

    Rig()
        : hub(&board, vectors::kKey),
          link(vectors::kKey, &hub, &board, nullptr),
          lens(&board),
          runner(&link, &board, &lens, &log) {
        runner.pace().want(10, 10, 15);
    }

    /// Steps until the clock has moved so far.
    void run(uint32_t ms) {
        const uint64_t end_us = board.time_us + ms * 1000;
        while (board.time_us < end_us) board.time_us += runner.step("hub", 7440) * 1000;
    }
};

}  // namespace

TEST("a picture ends at its last end, or is none") {
    CHECK_EQ(jpeg_length(kGood, sizeof kGood), 6);
    CHECK_EQ(jpeg_length(kBad, sizeof kBad), 0);
    CHECK_EQ(jpeg_length(kGood + 1, sizeof kGood - 1), 0);
    for (size_t count = 0; count < 6; count++) CHECK_EQ(jpeg_length(kGood, count), 0);
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
    rig.lens.is_broken = true;
    rig.run(900);
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
