/* lwIP's own netdb.h under the names that a program for the board uses. */
#pragma once

#include_next <lwip/netdb.h>

static inline int getaddrinfo(const char *host, const char *service, const struct addrinfo *wanted,
                              struct addrinfo **found) {
    return lwip_getaddrinfo(host, service, wanted, found);
}
static inline void freeaddrinfo(struct addrinfo *found) { lwip_freeaddrinfo(found); }
