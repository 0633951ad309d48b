// The small parts: waiting, pace, counts, texts.
#include "../fridgecam/src/core/backoff.h"
#include "../fridgecam/src/core/pace.h"
#include "../fridgecam/src/core/statistics.h"
#include "vectors.h"

using namespace larder;

TEST("the wait doubles from half a second to half a minute, never longer, never in step") {
    Backoff least, most;
    uint32_t expected = 500;
    for (int round = 0; round < 12; round++) {
        const uint32_t longest = least.after(Bye::Lost, 0, 0);
        CHECK_EQ(longest, expected);
        CHECK_EQ(most.after(Bye::Lost, 29999, expected / 4), expected - expected / 4);
        expected = expected * 2 < 30000 ? expected * 2 : 30000;
    }
    CHECK_EQ(least.after(Bye::Lost, 30000, 0), 500);
    CHECK_EQ(least.after(Bye::Lost, 0, 0), 1000);
}

TEST("a refused key waits a minute, and the wait after it is as before") {
    Backoff backoff;
    const Bye refusals[] = {Bye::Unproven, Bye::UnknownCamera, Bye::KeyChanged, Bye::CameraRemoved, Bye::Version};
    for (const Bye reason : refusals) {
        CHECK(backoff.after(reason, 0, 4000000000u) >= 60000);
    }
    CHECK_EQ(backoff.after(Bye::Busy, 0, 0), 500);
}

TEST("a slow line lowers the rate first, then the quality, and gets them back in turn") {
    Pace pace;
    pace.want(10, 10, 12);
    uint32_t now = 0;
    CHECK_EQ(pace.interval_ms(now), 100);
    pace.sent(300, now);
    pace.sent(300, now);
    CHECK(!pace.is_lowered());
    pace.sent(300, now);
    CHECK_EQ(pace.tenths_fps(now), 75);
    CHECK_EQ(pace.quality(), 12);
    for (int round = 0; round < 4; round++) pace.sent(1200, now);
    CHECK_EQ(pace.tenths_fps(now), 12);
    CHECK_EQ(pace.quality(), 12);
    pace.sent(1200, now);
    CHECK_EQ(pace.quality(), 18);
    for (int round = 0; round < 20; round++) pace.sent(2000, now);
    CHECK_EQ(pace.quality(), 36);
    uint32_t rate = pace.tenths_fps(now);
    while (pace.quality() > 12) {
        now += 5000;
        pace.sent(10, now);
        CHECK_EQ(pace.tenths_fps(now), rate);
    }
    while (pace.is_lowered()) {
        now += 5000;
        pace.sent(10, now);
        CHECK(pace.tenths_fps(now) > rate);
        rate = pace.tenths_fps(now);
    }
    CHECK_EQ(rate, 100);
    CHECK(now <= 5000 * 12);
}

TEST("a jump in the pictures' size means that something happens, for a while") {
    Pace pace;
    pace.want(10, 1, 12);
    uint32_t now = 4294960000u;
    for (int round = 0; round < 100; round++) pace.saw(20000 + static_cast<uint32_t>(round % 3) * 300, now += 1000);
    CHECK(!pace.is_active(now));
    CHECK_EQ(pace.interval_ms(now), 1000);
    pace.saw(45000, now);
    CHECK_EQ(pace.interval_ms(now), 100);
    for (int round = 0; round < 40; round++) pace.saw(45000, now);
    CHECK(pace.is_active(now + 9000) && !pace.is_active(now + 10001));
}

TEST("a heap that falls at the start is none, one that goes on falling is a leak") {
    LeakWatch steady, leaky;
    bool suspected = false;
    for (uint32_t report = 0; report < 200; report++) {
        suspected = suspected || steady.report(report < 10 ? 90000 - report * 1000 : 80000 - report % 2 * 100);
    }
    CHECK(!suspected);
    uint32_t reports = 0;
    while (reports < 100 && !leaky.report(90000 - reports * 100)) reports++;
    CHECK_EQ(reports, 40);
    for (uint32_t report = 0; report < 20; report++) suspected = leaky.report(70000);
    CHECK(!suspected);
}

TEST("the report names what is wrong and never leaves its room") {
    Telemetry telemetry = {};
    telemetry.chip = 53333;
    telemetry.reading_count = 2;
    telemetry.readings[0] = Reading{0, 1, 0, -18125, 2};
    telemetry.readings[1] = Reading{1, 2, 0, kNoValue, 9};
    FrameCounts counts;
    counts.went_out(20, 5);
    counts.went_out(10, 0);
    counts.went_out(40, 30);
    char text[700];
    const size_t size = report(telemetry, counts, 75, 12, true, true, text, sizeof text);
    CHECK_EQ(size, strlen(text));
    const char* const parts[] = {
        "chip 53.33 C", "a leak?", "took 40 ms (10 to 40)  stall 30 ms", "7.5 fps", "lowered",
        "temperature -18.12 C  errors 2", "temperature none",
    };
    for (const char* part : parts) {
        CHECK(strstr(text, part) != nullptr);
    }
    for (size_t room = 1; room < size; room++) CHECK(report(telemetry, counts, 75, 12, true, true, text, room) < room);
}

TEST("texts are cut between characters and carry nothing that moves a cursor") {
    uint8_t out[20];
    Writer writer(out, sizeof out);
    writer.text("a\x1b[2Jb\n\xf0\x9f\xa7\x8a\xf0\x9f\xa7\x8a", 9);
    CHECK_EQ(out[0], 9);
    CHECK(memcmp(out + 1, "a[2Jb\xf0\x9f\xa7\x8a", 9) == 0);
    Writer shorter(out, sizeof out);
    shorter.text("a[2Jb\xf0\x9f\xa7\x8a", 8);
    CHECK_EQ(out[0], 5);
    Writer full(out, 3);
    full.u32(1);
    CHECK(!full.ok() && full.size() == 0);
    const uint8_t escape[] = {1, 0x1b};
    Reader reader(escape, sizeof escape);
    char text[9];
    reader.text(text, 8);
    CHECK(!reader.ok());
}
