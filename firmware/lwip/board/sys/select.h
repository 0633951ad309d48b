/* fd_set as newlib has it on the board (FD_SETSIZE 64), in place of this machine's 1024: a socket whose number does not
   fit must show. Included wherever the C library asks for <sys/select.h>. */
#ifndef _SYS_SELECT_H
#define _SYS_SELECT_H 1

#include <bits/types.h>
#include <bits/types/sigset_t.h>
#include <bits/types/struct_timespec.h>
#include <bits/types/struct_timeval.h>
#include <bits/types/time_t.h>

#ifndef __suseconds_t_defined
typedef __suseconds_t suseconds_t;
#define __suseconds_t_defined
#endif

#define FD_SETSIZE 64

typedef struct fd_set {
    unsigned char bits[FD_SETSIZE / 8];
} fd_set;

#define FD_SET(fd, set) ((set)->bits[(fd) / 8] = (unsigned char)((set)->bits[(fd) / 8] | (1 << (fd) % 8)))
#define FD_CLR(fd, set) ((set)->bits[(fd) / 8] = (unsigned char)((set)->bits[(fd) / 8] & ~(1 << (fd) % 8)))
#define FD_ISSET(fd, set) (((set)->bits[(fd) / 8] & (1 << (fd) % 8)) != 0)
#define FD_ZERO(set) __builtin_memset((set), 0, sizeof(fd_set))

#ifdef __cplusplus
extern "C" {
#endif
int select(int count, fd_set *reads, fd_set *writes, fd_set *faults, struct timeval *timeout);
#ifdef __cplusplus
}
#endif

#endif
