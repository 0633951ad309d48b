// What is typed or pasted into a board.
#include <stdio.h>

#include "../fridgecam/src/core/console.h"
#include "vectors.h"

using namespace larder;

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
        "hub [fe80::1]:7440",
        "hub fe80::1",
        "hub ::1",
        "larder hub=[::1]:7440 camera=0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291",
        "probes",
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
    CHECK(read_line("hub pi.local:7000", &settings, &why) == LineResult::Changed);
    CHECK(strcmp(settings.hub, "pi.local") == 0 && settings.hub_port == 7000);
    CHECK(read_line("hub 10.0.0.2", &settings, &why) == LineResult::Changed && settings.hub_port == 7440);
    CHECK(read_line("hub auto", &settings, &why) == LineResult::Changed && settings.hub[0] == 0);
    CHECK(read_line("xclk 16", &settings, &why) == LineResult::Changed && settings.xclk_mhz == 16);
    CHECK(read_line("", &settings, &why) == LineResult::Empty);
    CHECK(read_line(" show ", &settings, &why) == LineResult::Show);
    CHECK(read_line("help", &settings, &why) == LineResult::Help);
    CHECK(read_line("reboot", &settings, &why) == LineResult::Reboot);
    CHECK(read_line("forget", &settings, &why) == LineResult::Forget);
    CHECK(read_line("probes forget", &settings, &why) == LineResult::ForgetProbes);
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

TEST("an IPv6 address is refused in words") {
    Settings settings = {};
    const char* why;
    CHECK(read_line("hub [fe80::1]:7440", &settings, &why) == LineResult::Bad);
    CHECK(strstr(why, "IPv6") != nullptr && strstr(why, "IPv4") != nullptr);
}

namespace {

const char kLine[] =
    "larder hub=pi.local:7440 camera=0f6fa3c0-9d2b-4c1e-8a55-d1a7e0c4b291 "
    "key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Types a text; returns what the first whole line is, or null.
const char* type(LineBuffer* buffer, const char* text) {
    const char* line = nullptr;
    for (; *text != 0 && line == nullptr; text++) line = buffer->add(*text);
    return line;
}

}  // namespace

TEST("line breaks anywhere in a pasted line are no part of it") {
    const char* const breaks[] = {"\n", "\r\n", "\r"};
    for (const char* line_break : breaks) {
        for (size_t at = 1; at < sizeof kLine - 1; at++) {
            // In the middle of a word, and in place of a blank.
            const size_t rest = kLine[at] == ' ' ? at + 1 : at;
            char pasted[300], joined[300];
            snprintf(pasted, sizeof pasted, "%.*s%s%s\n", static_cast<int>(at), kLine, line_break, kLine + rest);
            unwrap(pasted, joined, sizeof joined);
            CHECK(strcmp(joined, kLine) == 0);
            // In a console a line that is broken before it says what it is can't be known.
            if (at < 8) continue;
            LineBuffer buffer;
            const char* line = type(&buffer, pasted);
            CHECK(line != nullptr && strcmp(line, kLine) == 0);
        }
    }
}

TEST("a larder line without its end ends with an empty line") {
    LineBuffer buffer;
    CHECK(type(&buffer, "larder hub=x\r\n") == nullptr);
    const char* line = type(&buffer, "\r\n");
    CHECK(line != nullptr && strcmp(line, "larder hub=x") == 0);
    line = type(&buffer, "show\n");
    CHECK(line != nullptr && strcmp(line, "show") == 0);
}

TEST("what does not fit is cut") {
    char to[8];
    unwrap("0123\n456789", to, sizeof to);
    CHECK(strcmp(to, "0123456") == 0);
}
