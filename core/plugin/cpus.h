/*
 * cpus.h: how many CPUs this process may use.
 */
#ifndef TERN_CORE_PLUGIN_CPUS_H
#define TERN_CORE_PLUGIN_CPUS_H

/* The CPUs of the process's affinity mask, no more than its cgroup's quota of CPU time is worth. At
 * least 1. */
int tern_usable_cpus(void);

/*
 * What the quota is worth, rounded up to whole CPUs; 0 where there is none. The process's cgroups
 * are read from ROOT/proc/self/cgroup and their files below ROOT/sys/fs/cgroup, of version 2
 * (cpu.max) and version 1 (cpu.cfs_quota_us, cpu.cfs_period_us). A limit of any cgroup above counts
 * too. A file that is missing or says something odd is no limit. `root` is "" but for tests.
 */
int tern_cgroup_cpus(const char *root);

#endif
