// The small parts: waiting, pace, thermometers, console, counts.
#include "../fridgecam/src/core/backoff.h"
#include "../fridgecam/src/core/console.h"
#include "../fridgecam/src/core/pace.h"
#include "../fridgecam/src/core/probes.h"
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

namespace {

class Bus : public ProbeBus {
public:
    void request() override { requests++; }
    int32_t read(uint8_t probe) override {
        reads[probe]++;
        const int32_t* next = values[probe];
        if (next[at[probe] + 1] != 0) return next[at[probe]++];
        return next[at[probe]];
    }
    int requests = 0;
    int reads[2] = {};
    // Read one after the other; the last one stays. Zero ends them.
    const int32_t* values[2];
    int at[2] = {};
};

}  // namespace

TEST("a probe is read no earlier than 750 ms after it was asked, and again after the interval") {
    const int32_t values[] = {4125, 4187, 0};
    Bus bus;
    bus.values[0] = values;
    Probes probes(&bus, 1, 30000);
    uint32_t now = 4294967000u;
    CHECK(!probes.tick(now));
    CHECK_EQ(bus.requests, 1);
    CHECK(!probes.tick(now + 749));
    CHECK_EQ(bus.reads[0], 0);
    CHECK(probes.tick(now + 750));
    CHECK(probes.result(0).status == ProbeStatus::Measured && probes.result(0).value == 4125);
    CHECK(!probes.tick(now + 29999) && bus.requests == 1);
    CHECK(!probes.tick(now + 30000) && bus.requests == 2);
    CHECK(probes.tick(now + 30750));
    CHECK_EQ(probes.result(0).value, 4187);
}

TEST("85 degrees at first is no reading, and three more tries are made") {
    const int32_t good[] = {4000, 0}, power_on[] = {85000, 85000, 85000, 5000, 0};
    Bus bus;
    bus.values[0] = good;
    bus.values[1] = power_on;
    Probes probes(&bus, 2, 30000);
    uint32_t now = 0;
    int ticks = 0;
    while (!probes.tick(now += 750)) ticks++;
    CHECK_EQ(bus.requests, 4);
    CHECK_EQ(bus.reads[0], 1);
    CHECK(probes.result(1).status == ProbeStatus::Measured && probes.result(1).value == 5000);
    CHECK_EQ(probes.result(1).error_count, 3);
    CHECK_EQ(probes.result(0).error_count, 0);
}

TEST("a probe that stays away is silent after four tries, and one that really is hot is believed") {
    const int32_t gone[] = {kDisconnected, 0}, hot[] = {82000, 85000, 0};
    Bus bus;
    bus.values[0] = gone;
    bus.values[1] = hot;
    Probes probes(&bus, 2, 1000);
    uint32_t now = 0;
    while (!probes.tick(now += 750)) {
    }
    CHECK(probes.result(0).status == ProbeStatus::Silent);
    CHECK_EQ(probes.result(0).error_count, 4);
    while (!probes.tick(now += 750)) {
    }
    CHECK(probes.result(1).status == ProbeStatus::Measured && probes.result(1).value == 85000);
}

TEST("the line of larderctl camera add sets hub, camera and key, or nothing") {
    Settings settings = {};
    const char* why;
    const char* line =
        "larder hub=pi.local:7440 camera=0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291 "
        "key=000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    CHECK(read_line(line, &settings, &why) == LineResult::Changed);
    CHECK(strcmp(settings.hub, "pi.local") == 0 && settings.hub_port == 7440 && settings.has_camera);
    CHECK(memcmp(settings.camera, vectors::kCamera, kUuidLen) == 0);
    CHECK(memcmp(settings.key, vectors::kKey, kKeyLen) == 0);
    char text[37];
    format_uuid(settings.camera, text);
    CHECK(strcmp(text, "0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291") == 0);

    Settings untouched = settings;
    const char* const wrongs[] = {
        "larder hub=x camera=1 key=2",
        "larder camera=0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291",
        "larder hub=:1",
        "larder hub=x:70000 camera=0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291",
        "larder name=x",
        "wifi",
        "wifi \"\"",
        "wifi net short",
        "wifi \"net",
        "hub",
        "hub [::1",
        "xclk 12",
        "sudo",
        "show all",
        "a b c d e f",
    };
    for (const char* wrong : wrongs) {
        CHECK(read_line(wrong, &settings, &why) == LineResult::Bad);
        CHECK(why[0] != 0 && memcmp(&settings, &untouched, sizeof settings) == 0);
    }
}

TEST("names and passwords may hold blanks, quotes and anything else") {
    Settings settings = {};
    const char* why;
    CHECK(read_line("wifi \"my \\\"net\\\" \\\\\" \"pass word 1\"", &settings, &why) == LineResult::Changed);
    CHECK(strcmp(settings.ssid, "my \"net\" \\") == 0 && strcmp(settings.password, "pass word 1") == 0);
    CHECK(!settings.is_complete());
    CHECK(read_line("wifi open", &settings, &why) == LineResult::Changed && settings.password[0] == 0);
    CHECK(read_line("hub [fe80::1]:7000", &settings, &why) == LineResult::Changed);
    CHECK(strcmp(settings.hub, "fe80::1") == 0 && settings.hub_port == 7000);
    CHECK(read_line("hub 10.0.0.2", &settings, &why) == LineResult::Changed && settings.hub_port == 7440);
    CHECK(read_line("hub auto", &settings, &why) == LineResult::Changed && settings.hub[0] == 0);
    CHECK(read_line("xclk 16", &settings, &why) == LineResult::Changed && settings.xclk_mhz == 16);
    CHECK(read_line("", &settings, &why) == LineResult::Empty);
    CHECK(read_line(" show ", &settings, &why) == LineResult::Show);
    CHECK(read_line("help", &settings, &why) == LineResult::Help);
    CHECK(read_line("reboot", &settings, &why) == LineResult::Reboot);
    CHECK(read_line("forget", &settings, &why) == LineResult::Forget);
}

TEST("characters become lines, and a line that is too long is lost whole") {
    LineBuffer buffer;
    for (const char* at = "shoe\bw"; *at; at++) CHECK(buffer.add(*at) == nullptr);
    const char* line = buffer.add('\r');
    CHECK(line != nullptr && strcmp(line, "show") == 0);
    CHECK(buffer.add('\n') == nullptr);
    for (int at = 0; at < 1000; at++) CHECK(buffer.add('x') == nullptr);
    CHECK(buffer.add('\n') == nullptr);
    buffer.add('y');
    line = buffer.add('\n');
    CHECK(line != nullptr && strcmp(line, "y") == 0);
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
