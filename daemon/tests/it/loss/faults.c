/* Preloaded into a hub by tests: fsync and fdatasync of what lies below LARDER_FAULTS_BELOW fail or take long, as a
 * dying disk's do, while a file of that name lies in LARDER_FAULTS: "file", "folder" or "slow". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static int sync_by(const char *name, int fd) {
    struct stat stat;
    if (is_below(fd) && fstat(fd, &stat) == 0) {
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
