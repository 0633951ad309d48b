/* Preloaded into a hub by tests: fsync and fdatasync of what lies below LARDER_FAULTS_BELOW fail or take long, as a
 * dying disk's do, while a file of that name lies in LARDER_FAULTS: "file", "folder", "slow" or "hung". Hung ends when
 * the file is gone.
 *
 * Each change of a folder or file by the hub or its children is a step: a byte in the file LARDER_STEPS. Whoever is about
 * to make the step of number LARDER_LAST_STEP stops, and waits to be killed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_below(int fd) {
    const char *below = getenv("LARDER_FAULTS_BELOW");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (below == NULL || length < 0) return 0;
    path[length] = '\0';
    return strncmp(path, below, strlen(below)) == 0;
}

static int is_on(const char *fault) {
    const char *faults = getenv("LARDER_FAULTS");
    char path[4096];
    if (faults == NULL) return 0;
    snprintf(path, sizeof path, "%s/%s", faults, fault);
    return access(path, F_OK) == 0;
}

static void step(void) {
    const char *steps = getenv("LARDER_STEPS"), *last = getenv("LARDER_LAST_STEP");
    if (steps == NULL || last == NULL) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, steps, O_WRONLY | O_APPEND | O_CLOEXEC);
    struct stat stat;
    if (fd < 0) return;
    int is_last = write(fd, ".", 1) == 1 && fstat(fd, &stat) == 0 && stat.st_size == atol(last);
    close(fd);
    if (is_last) kill(getpid(), SIGSTOP);
}

#define REAL(type, name) ((type)dlsym(RTLD_NEXT, name))

static int open_by(const char *name, const char *path, int flags, mode_t mode) {
    if (flags & O_CREAT) step();
    return REAL(int (*)(const char *, int, ...), name)(path, flags, mode);
}

static mode_t mode_of(int flags, va_list more) { return flags & O_CREAT ? va_arg(more, mode_t) : 0; }

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = mode_of(flags, more); \
        va_end(more); \
        return open_by(#name, path, flags, mode); \
    }

OPEN(open)
OPEN(open64)

static FILE *fopen_by(const char *name, const char *path, const char *mode) {
    if (mode[0] != 'r') step();
    return REAL(FILE *(*)(const char *, const char *), name)(path, mode);
}

FILE *fopen(const char *path, const char *mode) { return fopen_by("fopen", path, mode); }

FILE *fopen64(const char *path, const char *mode) { return fopen_by("fopen64", path, mode); }

int mkdir(const char *path, mode_t mode) {
    step();
    return REAL(int (*)(const char *, mode_t), "mkdir")(path, mode);
}

int rename(const char *from, const char *to) {
    step();
    return REAL(int (*)(const char *, const char *), "rename")(from, to);
}

int unlink(const char *path) {
    step();
    return REAL(int (*)(const char *), "unlink")(path);
}

static int sync_by(const char *name, int fd) {
    struct stat stat;
    step();
    if (is_below(fd) && fstat(fd, &stat) == 0) {
        while (is_on("hung")) usleep(20000);
        if (S_ISREG(stat.st_mode) && is_on("slow")) sleep(8);
        if (is_on(S_ISDIR(stat.st_mode) ? "folder" : "file")) {
            errno = EIO;
            return -1;
        }
    }
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    return real(fd);
}

int fsync(int fd) { return sync_by("fsync", fd); }

int fdatasync(int fd) { return sync_by("fdatasync", fd); }
