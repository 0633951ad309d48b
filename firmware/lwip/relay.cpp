// Carries what comes to lwIP's side of a port to the hub on the same port of this machine, and back; connections and
// datagrams. Begins before the program that it is linked into, if RELAY_PORTS names ports. Its standard input bends the
// line while the program runs:
//
//     rate N    take at most N bytes a second of what a camera sends
//     stop      take nothing more; go: as at first
//     lose N    of all packets one in N gets lost; 1: each; 0: none
//
// Each is repeated behind `bent` on its standard output as soon as it holds.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

#include "line.h"
#include "relay.h"

namespace {

/// How fast a camera's bytes are taken.
class Tap {
public:
    /// Waits until some more may be taken; says how many.
    size_t open() {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return !is_stopped_; });
        return rate_ == 0 ? 1436 : rate_ / 10 + 1;
    }
    void took(size_t count) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (rate_ == 0) return;
        changed_.wait_for(lock, std::chrono::microseconds(count * 1000000 / rate_), [this] { return rate_ == 0; });
    }
    void set(size_t rate, bool is_stopped) {
        const std::lock_guard<std::mutex> lock(mutex_);
        rate_ = rate;
        is_stopped_ = is_stopped;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    size_t rate_ = 0;
    bool is_stopped_ = false;
};

Tap tap;

sockaddr_in hub(uint16_t port) {
    sockaddr_in at = {};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

bool send_all(int fd, const uint8_t* data, size_t count) {
    while (count > 0) {
        const ssize_t sent = send(fd, data, count, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        data += sent;
        count -= static_cast<size_t>(sent);
    }
    return true;
}

void carry(int camera, uint16_t port) {
    const int far = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in to = hub(port);
    if (connect(far, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        near::close(camera);
        close(far);
        return;
    }
    std::thread down([=] {
        uint8_t data[1024];
        for (ssize_t came; (came = recv(far, data, sizeof data, 0)) > 0;) {
            if (!near::send_all(camera, data, static_cast<size_t>(came))) break;
        }
        near::end(camera);
    });
    uint8_t data[1436];
    for (;;) {
        const size_t most = tap.open();
        const long came = near::receive(camera, data, most < sizeof data ? most : sizeof data);
        if (came <= 0 || !send_all(far, data, static_cast<size_t>(came))) break;
        tap.took(static_cast<size_t>(came));
    }
    shutdown(far, SHUT_RDWR);
    near::end(camera);
    down.join();
    close(far);
    near::close(camera);
}

void carry_streams(int listener, uint16_t port) {
    for (;;) {
        const int camera = near::accept(listener);
        if (camera >= 0) std::thread(carry, camera, port).detach();
    }
}

void carry_datagrams(int in, uint16_t port) {
    const int out = socket(AF_INET, SOCK_DGRAM, 0);
    const sockaddr_in to = hub(port);
    uint8_t data[1436];
    for (;;) {
        const long came = near::receive(in, data, sizeof data);
        if (came < 0) continue;
        sendto(out, data, static_cast<size_t>(came), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
}

void obey() {
    char text[64];
    while (fgets(text, sizeof text, stdin) != nullptr) {
        unsigned number = 0;
        if (sscanf(text, "rate %u", &number) == 1) {
            tap.set(number, false);
        } else if (sscanf(text, "lose %u", &number) == 1) {
            line::lose(number);
        } else {
            tap.set(0, strcmp(text, "stop\n") == 0);
        }
        // Past stdio: the program sets its buffer later.
        const std::string answer = std::string("bent ") + text;
        if (write(STDOUT_FILENO, answer.data(), answer.size()) < 0) return;
    }
}

/// Before `main`, and after what stands above.
struct Begin {
    Begin() {
        line::start();
        const char* ports = getenv("RELAY_PORTS");
        if (ports == nullptr) return;
        std::istringstream words(ports);
        for (uint16_t port; words >> port;) {
            // Both are there before the program dials.
            std::thread(carry_streams, near::listen(port), port).detach();
            std::thread(carry_datagrams, near::bind_datagrams(port), port).detach();
        }
        std::thread(obey).detach();
    }
} begin;

}  // namespace
