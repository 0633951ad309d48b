// Stub for type checks.
#pragma once

#include "sockets.h"

struct addrinfo {
    int ai_flags;
    int ai_family;
    int ai_socktype;
    int ai_protocol;
    socklen_t ai_addrlen;
    struct sockaddr* ai_addr;
    char* ai_canonname;
    struct addrinfo* ai_next;
};

int getaddrinfo(const char* host, const char* service, const struct addrinfo* wanted, struct addrinfo** found);
void freeaddrinfo(struct addrinfo* found);
