#include "line.h"

#include <stdarg.h>

#include <atomic>
#include <future>

extern "C" {
#include <lwip/pbuf.h>
#include <lwip/sockets.h>
#include <lwip/tcpip.h>
}

namespace line {

namespace {

std::atomic<unsigned> every{0};
std::atomic<unsigned> packets{0};

}  // namespace

void start() {
    static std::promise<void> runs;
    tcpip_init([](void*) { runs.set_value(); }, nullptr);
    runs.get_future().wait();
}

void lose(unsigned one_in) { every = one_in; }

}  // namespace line

extern "C" int line_takes(pbuf* packet, netif*) {
    const unsigned every = line::every;
    if (every == 0 || ++line::packets % every != 0) return 0;
    pbuf_free(packet);
    return 1;
}

// What a call of fcntl is named in an object, on this machine or another: the transport's goes to lwIP.
#define BOARD_FCNTL(name)                              \
    extern "C" int name(int fd, int command, ...) {    \
        va_list rest;                                  \
        va_start(rest, command);                       \
        const int value = va_arg(rest, int);           \
        va_end(rest);                                  \
        return lwip_fcntl(fd, command, value);         \
    }

BOARD_FCNTL(board_fcntl)
BOARD_FCNTL(board_fcntl64)
BOARD_FCNTL(board___fcntl_time64)
