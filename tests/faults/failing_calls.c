/*
 * failing_calls.c: preloaded into a program, counts its calls to the system for files: open, read, write, fsync,
 * rename, mmap. TERN_FAULT_CALL names the one that fails, TERN_FAULT_HOW how: an errno's number, "kill" (the program
 * ends before it) or "short" (a write of half the bytes, and then of none). TERN_FAULT_COUNT is a file that receives
 * their number when the program ends. Standard error, and programs that this one starts, are left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC visibility push(default) /* in place of the C library's */

static atomic_ullong calls;
static unsigned long long failing;
static int error_number;
static bool kills, shortens;
static char count_path[4096];

__attribute__((constructor)) static void begin(void) {
    const char *call = getenv("TERN_FAULT_CALL"), *how = getenv("TERN_FAULT_HOW"),
               *path = getenv("TERN_FAULT_COUNT");
    failing = call ? strtoull(call, NULL, 10) : 0;
    kills = how && strcmp(how, "kill") == 0;
    shortens = how && strcmp(how, "short") == 0;
    error_number = how && !kills && !shortens ? atoi(how) : EIO;
    if (path) snprintf(count_path, sizeof count_path, "%s", path);
    unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void) {
    if (!*count_path) return;
    FILE *file = fopen(count_path, "w");
    if (!file) return;
    fprintf(file, "%llu\n", (unsigned long long)atomic_load(&calls));
    fclose(file);
}

/* Whether this call is the one; it may not return. */
static bool fails(void) {
    unsigned long long number = atomic_fetch_add(&calls, 1) + 1;
    if (number != failing) return false;
    if (kills) raise(SIGKILL);
    errno = error_number;
    return true;
}

/* The system's own function, put where its type is known (ISO C has no conversion from an object's address). */
#define REAL(name)                                                                                 \
    static __typeof__(name) *real;                                                                 \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

static mode_t mode_of(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails() ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    REAL(openat);
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return fails() ? -1 : real(folder, path, flags, mode);
}

ssize_t read(int fd, void *bytes, size_t size) {
    REAL(read);
    return fails() ? (shortens ? 0 : -1) : real(fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(write);
    if (fd == STDERR_FILENO || !fails()) return real(fd, bytes, size);
    return shortens && size > 1 ? real(fd, bytes, size / 2) : -1;
}

int fsync(int fd) {
    REAL(fsync);
    return fails() ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return fails() ? -1 : real(from, to);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
    REAL(renameat);
    return fails() ? -1 : real(from_folder, from, to_folder, to);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
    REAL(mmap);
    if (fd >= 0 && fails()) return MAP_FAILED;
    return real(address, size, protection, flags, fd, offset);
}
