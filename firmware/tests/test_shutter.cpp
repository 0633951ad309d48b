// Which pictures are sent, with a driver that queues them.
#include "fake_sensor.h"

using namespace larder;

namespace {

constexpr Size kVga = {640, 480}, kSvga = {800, 600}, kFull = {1600, 1200};

struct Rig {
    fake::Board board;
    fake::Sensor sensor;
    Shutter shutter;
    Picture picture;

    explicit Rig(int buffers = 2) : sensor(&board, buffers), shutter(&sensor, &board) { CHECK(shutter.begin(20)); }

    /// Takes a picture and sends it for so long; its age in milliseconds when it was taken, or -1 when there was none.
    int32_t take(uint32_t send_ms = 0) {
        if (!shutter.take(&picture)) return -1;
        const int32_t age_ms = static_cast<int32_t>((board.time_us - picture.t_us) / 1000);
        CHECK(!sensor.is_torn);
        board.time_us += send_ms * 1000;
        shutter.give_back();
        return age_ms;
    }

    bool is_size(const Size& size) {
        uint16_t width, height;
        return jpeg_size(picture.jpeg, picture.jpeg_len, &width, &height) && Size{width, height} == size;
    }
};

}  // namespace

TEST("no picture is torn or of another size, whenever the size changes") {
    for (int buffers = 2; buffers <= 3; buffers++) {
        for (uint32_t offset_ms = 0; offset_ms < 400; offset_ms += 10) {
            Rig rig(buffers);
            CHECK(rig.take() >= 0 && rig.is_size(kVga));
            rig.board.time_us += offset_ms * 1000;
            CHECK(rig.shutter.set_size(kSvga));
            for (int count = 0; count < 5; count++) CHECK(rig.take(20) >= 0 && rig.is_size(kSvga));
        }
    }
}

TEST("the size that holds already is not set again, and costs no picture") {
    Rig rig;
    CHECK_EQ(rig.sensor.size_changes, 1);
    rig.take();
    const uint64_t began_us = rig.board.time_us;
    for (int count = 0; count < 10; count++) {
        CHECK(rig.shutter.set_size(kVga));
        CHECK(rig.take() >= 0);
    }
    CHECK_EQ(rig.sensor.size_changes, 1);
    CHECK(rig.board.time_us - began_us <= 1100000);
}

TEST("a snapshot is whole and full, and so is what follows it, whole and usual") {
    for (uint32_t offset_ms = 0; offset_ms < 300; offset_ms += 10) {
        Rig rig;
        rig.take();
        rig.board.time_us += offset_ms * 1000;
        rig.shutter.want_snapshot();
        CHECK(rig.take(300) >= 0 && rig.is_size(kFull));
        CHECK_EQ(rig.picture.flags, kFrameSnapshot);
        for (int count = 0; count < 4; count++) {
            CHECK(rig.take() >= 0 && rig.is_size(kVga));
            CHECK_EQ(rig.picture.flags, 0);
        }
    }
}

TEST("after a send that took long the next picture is a fresh one, however many buffers there are") {
    for (int buffers = 2; buffers <= 3; buffers++) {
        Rig rig(buffers);
        rig.take();
        const uint32_t sends_ms[] = {600, 1000, 5000, 20000};
        for (const uint32_t send_ms : sends_ms) {
            rig.take(send_ms);
            const int32_t age_ms = rig.take();
            CHECK(age_ms >= 0 && age_ms <= 500);
        }
    }
}

TEST("a driver with one buffer, which fills it at once, gives no old picture either") {
    Rig rig(1);
    rig.take();
    for (int count = 0; count < 5; count++) {
        rig.board.time_us += 5000000;
        const int32_t age_ms = rig.take(100);
        CHECK(age_ms >= 0 && age_ms <= 500);
    }
}

TEST("a sensor that takes seconds for a picture in the dark still gets it through") {
    Rig rig;
    rig.sensor.frame_ms = 1500;
    rig.board.time_us += 10000000;
    for (int count = 0; count < 3; count++) {
        const uint64_t began_us = rig.board.time_us;
        CHECK(rig.take() >= 0);
        CHECK(rig.board.time_us - began_us <= 13000000);
    }
}

TEST("short sends cost no picture") {
    Rig rig;
    rig.take();
    const uint64_t began_us = rig.board.time_us;
    for (int count = 0; count < 20; count++) CHECK(rig.take(50) >= 0);
    CHECK(rig.board.time_us - began_us <= 2200000);
}

TEST("the time of a picture is when it was begun, and never in the future") {
    Rig rig;
    CHECK(rig.take() >= static_cast<int32_t>(rig.sensor.frame_ms));
    struct Ahead : fake::Sensor {
        Ahead(fake::Board* board) : fake::Sensor(board, 2) {}
        bool grab(Shot* shot) override {
            const bool is_there = fake::Sensor::grab(shot);
            shot->t_us += 10000000;
            return is_there;
        }
    };
    fake::Board board;
    Ahead ahead(&board);
    Shutter shutter(&ahead, &board);
    CHECK(shutter.begin(20));
    Picture picture;
    CHECK(shutter.take(&picture));
    CHECK_EQ(picture.t_us, board.time_us);
}

TEST("a dead sensor blocks for five seconds at most, at a snapshot too, and is started anew in the end") {
    Rig rig;
    rig.take();
    rig.sensor.is_dead = true;
    rig.shutter.want_snapshot();
    for (int count = 0; count < 3; count++) {
        const uint64_t began_us = rig.board.time_us;
        // What was whole before can still come.
        while (rig.take() >= 0) {
        }
        CHECK(rig.board.time_us - began_us <= 5000000);
    }
    CHECK(!rig.shutter.is_ready());
    const int starts = rig.sensor.starts;
    CHECK(rig.take() < 0);
    CHECK_EQ(rig.sensor.starts, starts);
    rig.sensor.is_dead = false;
    rig.board.time_us += Shutter::kReviveMs * 1000;
    CHECK(rig.take() >= 0 && rig.shutter.is_ready());
    CHECK_EQ(rig.sensor.clocks[starts], 20);
}

TEST("each start tries the wanted clock first, also after one that only the slow one helped") {
    Rig rig;
    rig.sensor.starts = 0;
    rig.sensor.failures = 2;
    CHECK(rig.shutter.begin(20));
    CHECK_EQ(rig.sensor.starts, 3);
    CHECK(rig.sensor.clocks[0] == 20 && rig.sensor.clocks[1] == 20 && rig.sensor.clocks[2] == 10);
    rig.sensor.starts = 0;
    rig.sensor.is_dead = true;
    for (int count = 0; count < 10 && rig.shutter.is_ready(); count++) rig.take();
    rig.sensor.is_dead = false;
    rig.sensor.failures = 3;
    rig.board.time_us += Shutter::kReviveMs * 1000;
    CHECK(rig.take() < 0);
    CHECK_EQ(rig.sensor.starts, 3);
    CHECK_EQ(rig.sensor.clocks[0], 20);
    rig.board.time_us += Shutter::kReviveMs * 1000;
    CHECK(rig.take() >= 0);
    CHECK_EQ(rig.sensor.clocks[3], 20);
    CHECK(rig.is_size(kVga));
}
