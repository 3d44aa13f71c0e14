/* How many CPUs the process may use: the files of cgroups, and TERN_NUM_THREADS over them. */
#define _GNU_SOURCE /* setenv, nftw, sched_setaffinity */
#include "core/plugin/cpus.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/plugin/host.h"
#include "core/plugin/pool.h"
#include "tern/context.h"

/* ---- a tree of files ------------------------------------------------------------------------- */

static char root[64];

static void tree_begin(void) {
    strcpy(root, "/tmp/tern-cpus-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw) {
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void tree_end(void) {
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cpus, .init = tree_begin, .fini = tree_end);

/* Writes ROOT/path, its folders too. */
static void put(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

static void drop(const char *path) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    cr_assert_eq(remove(full), 0);
}

/* ---- version 2 ------------------------------------------------------------------------------- */

Test(cpus, version_2_has_its_quota_rounded_up_in_cpu_max) {
    static const struct {
        const char *text;
        int cpus;
    } cases[] = {
        {"200000 100000\n", 2},
        {"150000 100000\n", 2},
        {"100001 100000\n", 2},
        {"100000 100000", 1},
        {"1000 100000\n", 1},
        {"800000 50000\n", 16},
        {"max 100000\n", 0},
        {"", 0},
        {"\n", 0},
        {"200000\n", 0},
        {"200000 \n", 0},
        {" 100000\n", 0},
        {"200000 0\n", 0},
        {"0 100000\n", 0},
        {"-1 100000\n", 0},
        {"2e5 100000\n", 0},
        {"many words here\n", 0},
        {"99999999999999999999999999 100000\n", 0},
        {"18446744073709751616 100000\n", 0}, /* 200000 beyond 64 bits */
        {"200000 99999999999999999999999999\n", 0},
        {"9000000000000 1\n", 0},
        {"200000000000000000000000000000000000000000000000000000000000000000000000 1\n", 0},
    };
    put("proc/self/cgroup", "0::/app\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("sys/fs/cgroup/app/cpu.max", cases[i].text);
        cr_assert_eq(tern_cgroup_cpus(root), cases[i].cpus, "'%s': %d", cases[i].text,
                     tern_cgroup_cpus(root));
    }
}

Test(cpus, version_2_takes_the_tightest_on_the_way_up) {
    put("proc/self/cgroup", "0::/a/b/c\n");
    put("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 0);
    put("sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 3, "the parent's parent");
    put("sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 3);
    put("sys/fs/cgroup/a/b/cpu.max", "200000 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 2);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 1, "the mount");
    put("sys/fs/cgroup/other/cpu.max", "1000 100000\n");
    put("proc/self/cgroup", "0::/\n");
    drop("sys/fs/cgroup/cpu.max");
    cr_assert_eq(tern_cgroup_cpus(root), 0, "another's cgroup");
}

Test(cpus, version_2_beside_version_1_is_mounted_in_unified) {
    put("proc/self/cgroup", "1:name=systemd:/app\n0::/app\n");
    put("sys/fs/cgroup/unified/app/cpu.max", "400000 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 4);
}

Test(cpus, a_cgroup_outside_of_the_mount_is_the_mount) {
    put("proc/self/cgroup", "0::/../../host/app\n");
    put("sys/fs/cgroup/cpu.max", "500000 100000\n");
    put("sys/host/app/cpu.max", "100000 100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 5);
}

/* ---- version 1 ------------------------------------------------------------------------------- */

#define CPU     "sys/fs/cgroup/cpu/"
#define CPUACCT "sys/fs/cgroup/cpu,cpuacct/"

Test(cpus, version_1_has_its_quota_with_the_cpu_controller) {
    put("proc/self/cgroup", "5:cpuset:/set\n4:cpu,cpuacct:/a/b\n3:memory:/m\n");
    cr_assert_eq(tern_cgroup_cpus(root), 0, "no files");
    put(CPU "a/b/cpu.cfs_quota_us", "250000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 0, "no period");
    put(CPU "a/b/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 3);
    put(CPU "a/b/cpu.cfs_quota_us", "-1\n");
    cr_assert_eq(tern_cgroup_cpus(root), 0);
    put(CPU "a/cpu.cfs_quota_us", "100000\n");
    put(CPU "a/cpu.cfs_period_us", "50000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 2, "the parent");
    put("proc/self/cgroup", "5:cpuset,cpuacct:/a/b\n");
    cr_assert_eq(tern_cgroup_cpus(root), 0, "another controller");
}

/* A container on version 1 sees the host's path of its cgroup, and its own limit at the mount. */
Test(cpus, version_1_in_a_container_reads_the_mount) {
    put("proc/self/cgroup", "4:cpuacct,cpu:/docker/0123456789abcdef\n");
    put(CPU "cpu.cfs_quota_us", "600000\n");
    put(CPU "cpu.cfs_period_us", "100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 6);
    put("sys/fs/cgroup/cpuacct,cpu/cpu.cfs_quota_us", "400000\n");
    put("sys/fs/cgroup/cpuacct,cpu/cpu.cfs_period_us", "100000\n");
    cr_assert_eq(tern_cgroup_cpus(root), 4, "a mount named after its controllers");
}

/* ---- what is odd ----------------------------------------------------------------------------- */

Test(cpus, an_odd_list_of_cgroups_is_no_limit) {
    cr_assert_eq(tern_cgroup_cpus(root), 0, "no files at all");
    cr_assert_eq(tern_cgroup_cpus("/nowhere/at/all"), 0);
    put("sys/fs/cgroup/app/cpu.max", "200000 100000\n");
    static const char *const odd[] = {"",     "\n",      "0\n",     "0:\n",
                                      "::\n", ":::::\n", "0::/app", "x::/app\n"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        put("proc/self/cgroup", odd[i]);
        cr_assert_eq(tern_cgroup_cpus(root), 0, "'%s'", odd[i]);
    }
    static char longest[20000];
    memset(longest, 'x', sizeof longest - 1);
    memcpy(longest, "0::/app\n3:cpu:/", 15);
    put("proc/self/cgroup", longest);
    cr_assert_eq(tern_cgroup_cpus(root), 2, "what stands before a line that is too long");
    memcpy(longest, "3:cpu:/", 7);
    strcpy(longest + 5000, "\n0::/app\n");
    put("proc/self/cgroup", longest);
    cr_assert_eq(tern_cgroup_cpus(root), 2, "what stands behind a path that is too long");
}

/* ---- what the process has -------------------------------------------------------------------- */

Test(cpus, are_no_more_than_the_affinity_mask) {
    cpu_set_t before, one;
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
    int all = tern_usable_cpus();
    cr_assert(all >= 1 && all <= CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    int few = tern_usable_cpus();
    cr_assert_eq(sched_setaffinity(0, sizeof before, &before), 0);
    cr_assert_eq(few, 1);
}

static char log_line[1024];
static int warnings;

static void keep_log(void *user, tern_log_level level, const char *message) {
    (void)user;
    warnings += level == TERN_LOG_WARNING;
    snprintf(log_line, sizeof log_line, "%s", message);
}

/* What TERN_NUM_THREADS gives; NULL unsets it. `said` is a part of the warning, NULL where there is
 * none. */
static void gives(const char *value, int threads, const char *said) {
    if (value)
        setenv("TERN_NUM_THREADS", value, 1);
    else
        unsetenv("TERN_NUM_THREADS");
    warnings = 0;
    log_line[0] = '\0';
    tern_host_configure();
    const char *shown = value ? value : "(unset)";
    cr_assert_eq(tern_pool_threads(), threads, "'%s' gives %d", shown, tern_pool_threads());
    cr_assert_eq(warnings, said != NULL, "'%s': %s", shown, log_line);
    if (said) cr_assert_not_null(strstr(log_line, said), "%s", log_line);
    cr_assert_null(strchr(log_line, '\n'));
}

Test(cpus, the_variable_says_another_number_and_a_wrong_one_is_said) {
    const char *before = getenv("TERN_NUM_THREADS");
    char *kept = before ? strdup(before) : NULL;
    int all = tern_usable_cpus();
    tern_on_log(keep_log, NULL);
    gives(NULL, all, NULL);
    gives("", all, NULL);
    gives("1", 1, NULL);
    gives("007", 7, NULL);
    gives("1024", 1024, NULL);
    gives("0", 1, "TERN_NUM_THREADS is '0', not a whole number from 1 to 1024: using 1");
    gives("1025", 1024, "'1025', not a whole number from 1 to 1024: using 1024");
    gives("99999999999999999999999", 1024, "using 1024");
    char using[32];
    snprintf(using, sizeof using, ": using %d", all);
    static const char *const words[] = {"many", "-1", "1.5", "4 ", " 4", "0x4", "2\n3", "\xff"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) gives(words[i], all, using);
    gives("99999999999999999999999x", all, using);
    tern_on_log(NULL, NULL);
    tern_pool_resize(1);
    if (kept)
        setenv("TERN_NUM_THREADS", kept, 1);
    else
        unsetenv("TERN_NUM_THREADS");
    free(kept);
}
