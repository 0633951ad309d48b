// lwIP's end of the relay, apart from this machine's sockets: the two have types of the same names.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace near {

int listen(uint16_t port);
int accept(int listener);
int bind_datagrams(uint16_t port);
/// How many bytes came; 0 or less when the connection ended.
long receive(int fd, uint8_t* to, size_t room);
bool send_all(int fd, const uint8_t* data, size_t count);
/// Nothing more goes out or comes in; whoever waits for it wakes.
void end(int fd);
void close(int fd);

}  // namespace near
