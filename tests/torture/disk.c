/* Preloaded into the victim: makes its disk fail and its clock jump, as the file named by TORTURE_CONTROL says.
   Only files below a folder `data` are touched, or of those the database of feedback alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NONE, FULL, FAILING_WRITES, FAILING_SYNCS, SHORT_WRITES, FAILING_READS };

struct control {
    volatile int32_t mode;
    volatile int32_t spared; /* calls that still succeed */
    volatile int64_t clock_seconds;
    volatile int64_t hits;
    volatile int32_t feedback_alone;
    int32_t unused;
};

static struct control *control;

/* From now on this process does as that file says: one that was forked may have another one than its parent. */
void torture_use(const char *path) {
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) control = mapped;
}

__attribute__((constructor)) static void begin(void) {
    torture_use(getenv("TORTURE_CONTROL"));
}

static int strikes(int fd, int mode) {
    char link[32], path[4096];
    if (!control || control->mode != mode) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (!strstr(path, control->feedback_alone ? "/data/learning.db" : "/data/")) return 0;
    if (__atomic_sub_fetch(&control->spared, 1, __ATOMIC_SEQ_CST) >= 0) return 0;
    __atomic_add_fetch(&control->hits, 1, __ATOMIC_SEQ_CST);
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define BEFORE_WRITE                                                       \
    if (strikes(fd, FULL)) { errno = ENOSPC; return -1; }                  \
    if (strikes(fd, FAILING_WRITES)) { errno = EIO; return -1; }           \
    if (size > 1 && strikes(fd, SHORT_WRITES)) size /= 2;

ssize_t write(int fd, const void *from, size_t size) {
    BEFORE_WRITE
    return REAL(write)(fd, from, size);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t place) {
    BEFORE_WRITE
    return REAL(pwrite)(fd, from, size, place);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off64_t place) {
    BEFORE_WRITE
    return REAL(pwrite64)(fd, from, size, place);
}

ssize_t pread64(int fd, void *to, size_t size, off64_t place) {
    if (strikes(fd, FAILING_READS)) { errno = EIO; return -1; }
    return REAL(pread64)(fd, to, size, place);
}

int ftruncate64(int fd, off64_t size) {
    if (strikes(fd, FULL)) { errno = ENOSPC; return -1; }
    return REAL(ftruncate64)(fd, size);
}

int fsync(int fd) {
    if (strikes(fd, FAILING_SYNCS)) { errno = EIO; return -1; }
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    if (strikes(fd, FAILING_SYNCS)) { errno = EIO; return -1; }
    return REAL(fdatasync)(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = REAL(clock_gettime)(clock, now);
    if (!result && control && clock == CLOCK_REALTIME) now->tv_sec += control->clock_seconds;
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    int result = REAL(gettimeofday)(now, zone);
    if (!result && control) now->tv_sec += control->clock_seconds;
    return result;
}

time_t time(time_t *now) {
    time_t found = REAL(time)(NULL) + (control ? control->clock_seconds : 0);
    if (now) *now = found;
    return found;
}
