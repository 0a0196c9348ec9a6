// Every sync of a file takes at least $SLOW_SYNC_US microseconds more, as on a disk behind a network.
// For measurements only: see slow_sync.rs.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void wait_a_little(void) {
    const char *text = getenv("SLOW_SYNC_US");
    long us = text ? atol(text) : 0;
    struct timespec pause = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

int fdatasync(int file) {
    wait_a_little();
    return (int)syscall(SYS_fdatasync, file);
}

int fsync(int file) {
    wait_a_little();
    return (int)syscall(SYS_fsync, file);
}
