// fridgecam-host: the firmware's core and transport as a program. It sends pictures of a folder, or drawn ones, and
// prints a line for everything that happens.
#include <signal.h>
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../fridgecam/src/core/console.h"
#include "../fridgecam/src/core/reading.h"
#include "board.h"

namespace {

const char kUsage[] =
    "fridgecam-host --line \"larder hub=HOST:PORT camera=UUID key=HEX\"\n"
    "  --from FOLDER        its JPEG files instead of drawn pictures\n"
    "  --fps N              instead of what the hub wants\n"
    "  --frames N           end after so many\n"
    "  --cut-after N        break off in the middle of a picture after so many\n"
    "  --readings PORT      a temperature datagram each second to this port of the hub\n"
    "  --update FILE        take new firmware into this file\n"
    "  --version VERSION    of the firmware that it says it runs\n"
    "  --once               end with the first session or attempt\n";

volatile sig_atomic_t is_stopped = 0;

struct Options {
    larder::Settings settings = {};
    const char* from = nullptr;
    const char* update = nullptr;
    const char* version = nullptr;
    uint32_t frames = 0;
    uint32_t cut_after = 0;
    uint16_t readings = 0;
    uint8_t fps = 0;
    bool once = false;
};

bool read_options(int count, char** words, Options* options) {
    for (int at = 1; at < count; at++) {
        const char* word = words[at];
        if (strcmp(word, "--once") == 0) {
            options->once = true;
            continue;
        }
        if (at + 1 == count) return false;
        const char* value = words[++at];
        const char* why = "";
        if (strcmp(word, "--line") == 0) {
            if (larder::read_line(value, &options->settings, &why) != larder::LineResult::Changed) {
                fprintf(stderr, "%s\n", why);
                return false;
            }
        } else if (strcmp(word, "--from") == 0) {
            options->from = value;
        } else if (strcmp(word, "--update") == 0) {
            options->update = value;
        } else if (strcmp(word, "--version") == 0) {
            options->version = value;
        } else if (strcmp(word, "--fps") == 0) {
            options->fps = static_cast<uint8_t>(atoi(value));
        } else if (strcmp(word, "--frames") == 0) {
            options->frames = static_cast<uint32_t>(atoi(value));
        } else if (strcmp(word, "--cut-after") == 0) {
            options->cut_after = static_cast<uint32_t>(atoi(value));
        } else if (strcmp(word, "--readings") == 0) {
            options->readings = static_cast<uint16_t>(atoi(value));
        } else {
            return false;
        }
    }
    return options->settings.has_camera && options->settings.hub[0] != 0;
}

class Lines : public larder::Watcher {
public:
    void opened() override { puts("opened"); }
    void ended(larder::Bye reason, uint32_t wait_ms) override {
        printf("ended %s wait %u\n", larder::name(reason), wait_ms);
        sessions++;
    }
    void sent(const larder::Picture& picture, uint32_t number) override {
        uint8_t digest[larder::kDigestLen];
        larder::Sha256 hash;
        hash.update(picture.jpeg, picture.jpeg_len);
        hash.finish(digest);
        printf("sent %u ", number);
        for (const uint8_t byte : digest) printf("%02x", byte);
        putchar('\n');
        frames++;
    }
    uint32_t sessions = 0;
    uint32_t frames = 0;
};

/// The hub of the settings, by its name or address.
class Finder : public larder::Finder {
public:
    explicit Finder(const larder::Settings& settings) : settings_(settings) {}
    void find(larder::Places* to) override { larder::resolve(settings_.hub, settings_.hub_port, to); }

private:
    const larder::Settings& settings_;
};

/// A day's temperature in a minute, each second a datagram.
class Thermometer {
public:
    Thermometer(const Options& options, host::Board* board)
        : options_(options), board_(board), signer_(options.settings.key, options.settings.camera, board->boot) {}

    /// Once the hub is known.
    void tick(const larder::Runner& runner) {
        const uint64_t now_us = board_->now_us();
        larder::Place hub;
        if (options_.readings == 0 || now_us < next_us_ || !runner.hub(&hub)) return;
        hub.port = options_.readings;
        next_us_ = now_us + 1000000;
        const int32_t value = 4000 + static_cast<int32_t>(now_us / 1000000 % 60) * 125 / 2;
        uint8_t datagram[larder::kDatagramLen];
        const uint32_t seq = signer_.sign(0, larder::ProbeStatus::Measured, value, now_us, datagram);
        udp_.send(hub, datagram, sizeof datagram);
        board_->reading_seq = seq;
        board_->readings.assign(1, larder::Reading{0, seq, now_us, value, 0});
    }

private:
    const Options& options_;
    host::Board* board_;
    larder::ReadingSigner signer_;
    larder::Udp udp_;
    uint64_t next_us_ = 0;
};

void pause(uint32_t ms) {
    timespec time = {static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1000000};
    nanosleep(&time, nullptr);
}

}  // namespace

int main(int count, char** words) {
    Options options;
    if (!read_options(count, words, &options)) {
        fputs(kUsage, stderr);
        return 2;
    }
    setvbuf(stdout, nullptr, _IOLBF, 0);
    signal(SIGTERM, [](int) { is_stopped = 1; });
    signal(SIGINT, [](int) { is_stopped = 1; });

    host::Board board;
    host::Pictures pictures(&board);
    if (options.from != nullptr && !pictures.use_folder(options.from)) {
        fprintf(stderr, "no JPEG in %s\n", options.from);
        return 2;
    }
    host::CutTcp tcp;
    tcp.cut_after = options.cut_after;
    host::FileSlot slot;
    if (options.update != nullptr) slot.path = options.update;
    const larder::Settings& settings = options.settings;
    memcpy(board.camera, settings.camera, sizeof board.camera);
    // Later starts have larger numbers without a file to keep them in.
    board.boot = static_cast<uint32_t>(time(nullptr));
    if (options.version != nullptr) board.version = options.version;
    board.fixed_fps = options.fps;
    board.takes_updates = options.update != nullptr;
    larder::UpdateReceiver update(settings.key, settings.camera, board.version, &slot);
    larder::Link link(settings.key, &tcp, &board, board.takes_updates ? &update : nullptr);
    Lines lines;
    Finder finder(settings);
    larder::Runner runner(&link, &board, &pictures, &lines, &finder);
    board.pictures = &pictures;
    board.pace = &runner.pace();
    board.counts = &runner.counts();
    Thermometer thermometer(options, &board);

    while (!is_stopped && (options.frames == 0 || lines.frames < options.frames)) {
        const uint32_t wait = runner.step();
        thermometer.tick(runner);
        if (link.wants_restart() || (options.once && lines.sessions > 0)) break;
        pause(wait < 100 ? wait : 100);
    }
    link.close(link.wants_restart() ? larder::Bye::Restarting : larder::Bye::Done);
    return 0;
}
