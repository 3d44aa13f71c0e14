#define _GNU_SOURCE /* sched_getaffinity */
#include "cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

/* ---- files ----------------------------------------------------------------------------------- */

/* The first `size` - 1 bytes of a file as text; false where it cannot be read. */
static bool read_text(const char *path, char *out, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    size_t length = 0;
    ssize_t got;
    do {
        got = read(fd, out + length, size - 1 - length);
        if (got > 0) length += (size_t)got;
    } while (got > 0 && length < size - 1);
    close(fd);
    out[length] = '\0';
    return got >= 0;
}

/* A whole number that ends in a space, a line's end or the text's; -1 where it is anything else. */
static int64_t read_number(const char *text) {
    int64_t value = 0;
    const char *digit = text;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (value > INT64_MAX / 20) return -1;
        value = 10 * value + (*digit - '0');
    }
    bool ends = *digit == '\0' || *digit == ' ' || *digit == '\n';
    return digit > text && ends ? value : -1;
}

/* The number of CPUs that use `quota` of every `period`; 0 where either is odd. */
static int worth(int64_t quota, int64_t period) {
    if (quota <= 0 || period <= 0) return 0;
    int64_t cpus = quota / period + (quota % period != 0);
    return cpus > INT_MAX ? 0 : (int)cpus;
}

static int tighter(int a, int b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

/* ---- one cgroup's limit ---------------------------------------------------------------------- */

static bool read_in(const char *folder, const char *name, char *out, size_t size) {
    char path[TERN_PATH_SIZE];
    return tern_path_join(path, sizeof path, folder, name) && read_text(path, out, size);
}

/* "max 100000" or "150000 100000": the quota, in each period. */
static int limit_v2(const char *folder) {
    char text[64];
    if (!read_in(folder, "cpu.max", text, sizeof text)) return 0;
    const char *space = strchr(text, ' ');
    return space ? worth(read_number(text), read_number(space + 1)) : 0;
}

/* A quota of -1 is none. */
static int limit_v1(const char *folder) {
    char quota[64], period[64];
    if (!read_in(folder, "cpu.cfs_quota_us", quota, sizeof quota) ||
        !read_in(folder, "cpu.cfs_period_us", period, sizeof period))
        return 0;
    return worth(read_number(quota), read_number(period));
}

/*
 * The tightest limit from the cgroup up to the mount. In a container the cgroup's path may be one
 * of the host, which is not there: what is there is the mount itself, with the container's limit.
 */
static int tightest(const char *root, const char *mount, const char *cgroup,
                    int (*limit)(const char *folder)) {
    char folder[TERN_PATH_SIZE];
    int length = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s", root, mount);
    if (length < 0 || (size_t)length >= sizeof folder) return 0;
    size_t base = (size_t)length;
    /* A cgroup outside of what the mount shows ("/../x"), or a path too long: the mount alone. */
    if (!strstr(cgroup, "/..") && strlen(cgroup) < sizeof folder - base)
        strcpy(folder + base, cgroup);
    int cpus = 0;
    for (;;) {
        cpus = tighter(cpus, limit(folder));
        char *slash = strrchr(folder + base, '/');
        if (!slash) return cpus;
        *slash = '\0';
    }
}

/* ---- the process's cgroups ------------------------------------------------------------------- */

/* Whether "cpu" is one of "cpu,cpuacct". */
static bool has_cpu(const char *controllers) {
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0')) return true;
    }
    return false;
}

/* A line "number:controllers:path"; version 2 has the number 0 and no controllers. */
static int limit_of_line(const char *root, char *line) {
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) return 0;
    *controllers++ = '\0';
    *path++ = '\0';
    if (strcmp(line, "0") == 0 && !controllers[0])
        return tighter(tightest(root, "", path, limit_v2),
                       tightest(root, "/unified", path, limit_v2));
    if (!has_cpu(controllers)) return 0;
    char mount[128]; /* systemd names it after its controllers, others "cpu" */
    snprintf(mount, sizeof mount, "/%.100s", controllers);
    return tighter(tightest(root, "/cpu", path, limit_v1), tightest(root, mount, path, limit_v1));
}

/* Threads may have small stacks: what is large is gone before the next function needs room. */
#define OWN_FRAME __attribute__((noinline))

static OWN_FRAME bool read_cgroups(const char *root, char *out_text, size_t size) {
    return read_in(root, "proc/self/cgroup", out_text, size);
}

int tern_cgroup_cpus(const char *root) {
    char text[8192];
    if (!read_cgroups(root, text, sizeof text)) return 0;
    int cpus = 0;
    char *line = text;
    /* A last line that was cut has no line's end, and is left out. */
    for (char *end = strchr(line, '\n'); end; end = strchr(line, '\n')) {
        *end = '\0';
        cpus = tighter(cpus, limit_of_line(root, line));
        line = end + 1;
    }
    return cpus;
}

/* cpu_set_t has 1,024 CPUs, and a kernel that may have more refuses to fill it. */
static OWN_FRAME int affinity(void) {
    union {
        cpu_set_t set;
        unsigned char room[8192];
    } mask = {.room = {0}};
    return sched_getaffinity(0, sizeof mask, &mask.set) == 0 ? CPU_COUNT_S(sizeof mask, &mask.set)
                                                             : 1;
}

int tern_usable_cpus(void) {
    int cpus = tighter(affinity(), tern_cgroup_cpus(""));
    return cpus < 1 ? 1 : cpus;
}
