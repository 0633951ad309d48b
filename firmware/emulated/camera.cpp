// The core as Xtensa code against a real hub: reads the provisioning line from the file `line` and a picture from the
// file `picture.jpg`, sends it 20 times, and says what happened.
#include <stdio.h>

#include "../fridgecam/src/core/console.h"
#include "../fridgecam/src/core/runner.h"
#include "system.h"

using namespace emulated;

namespace {

constexpr uint32_t kFrames = 20;
uint8_t jpeg[65536];
size_t jpeg_len;

class Socket : public larder::Stream {
public:
    bool connect(const larder::Place& place, uint32_t) override {
        close();
        // sockaddr_in: family 2 in the machine's order, then port and address in the network's.
        uint8_t to[16] = {2, 0, static_cast<uint8_t>(place.port >> 8), static_cast<uint8_t>(place.port)};
        memcpy(to + 4, place.ip, sizeof place.ip);
        socket_ = call(kSocket, 2, 1, 0);
        return socket_ >= 0 && call(kConnect, socket_, address(to), sizeof to) == 0;
    }

    bool send(const larder::Part* parts, size_t count, const larder::SendLimits&, uint32_t* stall_ms) override {
        *stall_ms = 0;
        for (size_t at = 0; at < count; at++) {
            for (size_t sent = 0; sent < parts[at].count;) {
                const long took = call(kWrite, socket_, address(parts[at].data + sent),
                                       static_cast<long>(parts[at].count - sent));
                if (took <= 0) return false;
                sent += static_cast<size_t>(took);
            }
        }
        return true;
    }

    int receive(uint8_t* to, size_t room, uint32_t wait_ms) override {
        struct {
            int32_t socket;
            int16_t wanted;
            int16_t found;
        } poll = {static_cast<int32_t>(socket_), 1, 0};
        if (call(kPoll, address(&poll), 1, static_cast<long>(wait_ms)) <= 0) return 0;
        const long came = call(kRead, socket_, address(to), static_cast<long>(room));
        return came > 0 ? static_cast<int>(came) : -1;
    }

    void close() override {
        if (socket_ >= 0) call(kClose, socket_, 0, 0);
        socket_ = -1;
    }

private:
    long socket_ = -1;
};

class Board : public larder::Board {
public:
    uint64_t now_us() override {
        struct {
            uint32_t seconds;
            uint32_t micros;
        } now = {0, 0};
        call(kTimeOfDay, address(&now), 0, 0);
        return static_cast<uint64_t>(now.seconds) * 1000000 + now.micros;
    }
    void random(uint8_t* to, size_t count) override { call(kGetRandom, address(to), static_cast<long>(count), 0); }
    void describe(larder::Hello* hello) override {
        *hello = larder::Hello();
        memcpy(hello->camera, settings.camera, sizeof hello->camera);
        hello->boot = 1;
        hello->firmware_version = "1.0.0-xtensa";
    }
    void measure(larder::Telemetry* telemetry) override {
        telemetry->chip = 53333;
        telemetry->heap_free = 123456;
    }
    // All at ten a second: what the hub wants is the host's to try.
    void welcomed(const larder::Welcome&, const larder::HubProof&) override { pace->want(10, 10, 12); }
    larder::AckResult obey(const larder::Control&, larder::Remark* remark) override {
        remark->set("emulated");
        return larder::AckResult::Done;
    }
    larder::Settings settings;
    larder::Pace* pace = nullptr;
};

class Lens : public larder::Eye {
public:
    explicit Lens(Board* board) : board_(board) {}
    bool take(larder::Picture* picture) override {
        *picture = larder::Picture{jpeg, jpeg_len, 12, 0, board_->now_us()};
        return true;
    }
    void give_back() override {}
    void set_quality(uint8_t) override {}

private:
    Board* board_;
};

class Lines : public larder::Watcher {
public:
    void opened() override { print("opened\n"); }
    void ended(larder::Bye reason, uint32_t) override {
        print("ended ");
        print(larder::name(reason));
        print("\n");
        is_over = true;
    }
    void sent(const larder::Picture&, uint32_t) override { frames++; }
    bool is_over = false;
    uint32_t frames = 0;
};

/// IPv4 in digits alone.
class Finder : public larder::Finder {
public:
    void find(larder::Places* to) override {
        uint8_t ip[4] = {};
        const char* host = board->settings.hub;
        for (uint8_t& part : ip) {
            for (; *host >= '0' && *host <= '9'; host++) part = static_cast<uint8_t>(part * 10 + *host - '0');
            if (*host == '.') host++;
        }
        to->add(ip, board->settings.hub_port);
    }
    Board* board = nullptr;
};

Board board;
Socket stream;

}  // namespace

int emulated::run() {
    static uint8_t line[512];
    const long size = read_file("line", line, sizeof line - 1);
    const long picture = read_file("picture.jpg", jpeg, sizeof jpeg);
    const char* why;
    if (size < 0 || picture < 0 || larder::read_line(reinterpret_cast<const char*>(line), &board.settings, &why) !=
                                       larder::LineResult::Changed) {
        print("line or picture.jpg is missing or wrong\n");
        return 2;
    }
    jpeg_len = static_cast<size_t>(picture);
    static larder::Link link(board.settings.key, &stream, &board, nullptr);
    static Lens lens(&board);
    static Lines lines;
    static Finder finder;
    finder.board = &board;
    static larder::Runner runner(&link, &board, &lens, &lines, &finder);
    board.pace = &runner.pace();
    while (!lines.is_over && lines.frames < kFrames) runner.step();
    link.close(larder::Bye::Done);
    char text[32];
    snprintf(text, sizeof text, "sent %lu\n", static_cast<unsigned long>(lines.frames));
    print(text);
    return lines.frames == kFrames ? 0 : 1;
}
