/* What lwIP wants to know of the compiler; this machine's C library has the rest. */
#ifndef FRIDGECAM_LWIP_CC_H
#define FRIDGECAM_LWIP_CC_H

#include <stdio.h>
#include <stdlib.h>

#define LWIP_PLATFORM_DIAG(x) do { printf x; } while (0)
#define LWIP_PLATFORM_ASSERT(x) do { fprintf(stderr, "lwIP: %s (%s:%d)\n", x, __FILE__, __LINE__); abort(); } while (0)
#define LWIP_RAND() ((u32_t)random())
#define LWIP_ERRNO_STDINCLUDE 1

#endif
