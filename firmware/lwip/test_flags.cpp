// What lwIP takes and what it refuses, at the places that the transport relies on.
#include <errno.h>
#include <lwip/sockets.h>

#include "../tests/check.h"
#include "../tests/peer.h"
#include "line.h"

namespace {

/// Before the first test.
struct Begin {
    Begin() { line::start(); }
} begin;

int dialled(Peer* peer) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to = {};
    to.sin_len = sizeof to;
    to.sin_family = AF_INET;
    to.sin_port = htons(peer->port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    peer->accept();
    return fd;
}

ssize_t say(int fd, int flags) {
    char word[] = "hello";
    iovec part = {word, 5};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return sendmsg(fd, &message, flags);
}

}  // namespace

TEST("lwIP has MSG_NOSIGNAL, and sendmsg refuses it") {
    static_assert(MSG_NOSIGNAL == 0x20, "as on the board");
    Peer peer;
    const int fd = dialled(&peer);
    CHECK_EQ(say(fd, MSG_NOSIGNAL), -1);
    CHECK_EQ(errno, EOPNOTSUPP);
    CHECK_EQ(say(fd, 0), 5);
    lwip_close(fd);
}

TEST("a socket's number fits into the board's fd_set") {
    static_assert(FD_SETSIZE == 64, "newlib's");
    Peer peer;
    const int fd = dialled(&peer);
    CHECK(fd >= FD_SETSIZE - MEMP_NUM_NETCONN && fd < FD_SETSIZE);
    lwip_close(fd);
}
