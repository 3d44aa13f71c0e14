/* What the load report says of every kind of plugin, opened by the helper program. */
#define _GNU_SOURCE /* setenv */
#include <time.h>

#include "core/plugin/registry.h"
#include "plugin_folder.h"
#include "tern/context.h"
#include "tern/device.h"

#define PATIENT 20000 /* milliseconds: far more than a helper needs, even under a sanitizer */

/* ---- helpers --------------------------------------------------------------------------------- */

static tern_load_report *report_of(int probe_ms) {
    tern_load_report *report = tern_load_report_new(probe_ms);
    cr_assert_not_null(report);
    return report;
}

/* The entry of the manifest DEVICE.tern. */
static const tern_plugin_entry *plugin_of(const tern_load_report *report, const char *name) {
    char file[128];
    snprintf(file, sizeof file, "/%s.tern", name);
    for (size_t i = 0; i < tern_load_report_plugin_count(report); i++) {
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, i);
        const char *slash = strrchr(p->manifest, '/');
        if (slash && strcmp(slash, file) == 0) return p;
    }
    cr_assert(false, "no entry for %s", name);
    return NULL;
}

static const tern_device_entry *device_of(const tern_load_report *report, const char *name) {
    for (size_t i = 0; i < tern_load_report_device_count(report); i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        if (strcmp(d->name, name) == 0) return d;
    }
    cr_assert(false, "no device %s", name);
    return NULL;
}

static const char *default_of(const tern_load_report *report) {
    const char *name = "none";
    int count = 0;
    for (size_t i = 0; i < tern_load_report_device_count(report); i++) {
        const tern_device_entry *d = tern_load_report_device_at(report, i);
        if (d->is_default) name = d->name;
        count += d->is_default;
    }
    cr_assert(count <= 1, "%d defaults", count);
    return name;
}

static void expect(const tern_load_report *report, const char *name, tern_load_stage stage, bool ok,
                   const char *words) {
    const tern_plugin_entry *p = plugin_of(report, name);
    cr_assert_str_eq(tern_load_stage_name(p->stage), tern_load_stage_name(stage), "%s: %s", name,
                     p->message);
    cr_assert_eq(p->ok, ok, "%s: %s", name, p->message);
    cr_assert_not_null(strstr(p->message, words), "%s: '%s'", name, p->message);
}

/* ---- without probing ------------------------------------------------------------------------- */

Test(load_report, discovery_opens_nothing) {
    plugin_folder f = folder_open();
    folder_add(&f, "crash_at_load", "crash_at_load", "priority = 9\n");
    folder_add(&f, "hang_at_load", "hang_at_load", "");
    tern_load_report *report = report_of(0); /* or this process would be gone */
    cr_assert_eq(device_of(report, "crash_at_load")->state, TERN_STATE_NOT_PROBED);
    cr_assert_eq(device_of(report, "hang_at_load")->state, TERN_STATE_NOT_PROBED);
    expect(report, "crash_at_load", TERN_STAGE_FILE, true, "");
    cr_assert_str_eq(tern_load_report_device_at(report, 0)->name, "crash_at_load",
                     "not by priority");
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, what_is_wrong_with_the_files_is_told_by_stage) {
    plugin_folder f = folder_open();
    folder_add(&f, "open_to_all", "legal", "");
    folder_copy_part(&f, "legal", "writable.so", (size_t)-1);
    chmod(folder_file(&f, "writable.so"), 0757);
    folder_write(&f, "writable.tern", "device = writable\nlibrary = writable.so\nabi = 0\n");
    chmod(folder_file(&f, "open_to_all.tern"), 0666);
    folder_write(&f, "missing.tern", "device = missing\nlibrary = missing.so\nabi = 0\n");
    folder_write(&f, "text.so", "not a library");
    folder_write(&f, "text.tern", "device = text\nlibrary = text.so\nabi = 0\n");
    folder_write(&f, "nonsense.tern", "what?\n");
    folder_write(&f, "future.tern", "device = future\nlibrary = legal.so\nabi = 1\n");
    folder_add(&f, "typo", "legal", "priorty = 1\n");
    folder_write(&f, "notes.txt", "not a manifest");
    tern_load_report *report = report_of(0);
    expect(report, "open_to_all", TERN_STAGE_PERMISSIONS, false, "open_to_all.tern is writable by");
    expect(report, "writable", TERN_STAGE_PERMISSIONS, false,
           "writable.so is writable by everyone");
    expect(report, "missing", TERN_STAGE_FILE, false, "not installed: missing.so is missing");
    expect(report, "text", TERN_STAGE_FILE, false, "is not a shared library");
    expect(report, "nonsense", TERN_STAGE_MANIFEST, false, "nonsense.tern:1: expected");
    expect(report, "future", TERN_STAGE_MANIFEST, false, "plugin ABI 1");
    expect(report, "typo", TERN_STAGE_FILE, true, "warning: line 4: unknown key 'priorty' ignored");
    cr_assert_eq(tern_load_report_plugin_count(report), 7);
    cr_assert_str_eq(tern_device_state_name(device_of(report, "missing")->state), "unavailable");
    cr_assert_str_eq(device_of(report, "missing")->reason, "not installed: missing.so is missing");
    cr_assert_not(tern_load_report_ok(report));
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, one_manifest_is_judged_alone) {
    plugin_folder f = folder_open();
    folder_add(&f, "other", "legal", "priority = 9\n");
    folder_add(&f, "crash_at_load", "crash_at_load", "variant = v\npriority = -3\n");
    folder_add(&f, "far", "legal", "arch = vax\nrequires = avx2 fma\n");
    tern_load_report *report = tern_load_report_of(folder_file(&f, "crash_at_load.tern"), 0);
    cr_assert_eq(tern_load_report_plugin_count(report), 1);
    const tern_plugin_entry *p = tern_load_report_plugin_at(report, 0);
    cr_assert(p->ok, "%s", p->message);
    cr_assert_str_eq(p->variant, "v");
    cr_assert_eq(p->priority, -3);
    cr_assert_str_eq(p->needs, "");
    cr_assert_str_eq(default_of(report), "none");
    tern_load_report_free(report);
    report = tern_load_report_of(folder_file(&f, "far.tern"), 0);
    p = tern_load_report_plugin_at(report, 0);
    cr_assert_not(p->ok);
    cr_assert_str_eq(p->arch, "vax");
    cr_assert_str_eq(p->needs, "avx2 fma");
    cr_assert_not_null(strstr(p->message, "it is for vax"), "%s", p->message);
    tern_load_report_free(report);
    report = tern_load_report_of(NULL, 0);
    cr_assert_not(tern_load_report_plugin_at(report, 0)->ok);
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, what_is_merely_absent_is_no_fault) {
    plugin_folder f = folder_open();
    folder_add(&f, "cpu_legal", "legal_cpu", "");
    folder_write(&f, "gpu.tern", "device = gpu\nlibrary = gpu.so\nabi = 0\npriority = 9\n");
    folder_add(&f, "far", "legal", "arch = vax\n");
    tern_load_report *report = report_of(0);
    cr_assert(tern_load_report_ok(report));
    cr_assert_str_eq(default_of(report), "cpu_legal");
    cr_assert_str_eq(tern_load_report_device_at(report, 0)->name, "gpu");
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, variants_and_duplicates_are_reported) {
    plugin_folder f = folder_open();
    folder_copy_part(&f, "legal", "a.so", (size_t)-1);
    folder_copy_part(&f, "legal", "b.so", (size_t)-1);
    folder_copy_part(&f, "legal", "c.so", (size_t)-1);
    folder_write(&f, "a.tern", "device=legal\nvariant=a\nlibrary=a.so\nabi=0\npriority=1\n");
    folder_write(&f, "b.tern", "device=legal\nvariant=b\nlibrary=b.so\nabi=0\npriority=3\n");
    folder_write(&f, "b2.tern", "device=legal\nvariant=b\nlibrary=c.so\nabi=0\npriority=8\n");
    folder_write(&f, "c.tern", "device=legal\nvariant=c\nlibrary=c.so\nabi=0\nrequires=quantum\n");
    folder_write(&f, "same.tern", "device=legal\nvariant=d\nlibrary=a.so\nabi=0\n");
    cr_assert_eq(symlink("a.tern", folder_file(&f, "link.tern")), 0);
    tern_load_report *report = report_of(0);
    expect(report, "a", TERN_STAGE_FILE, true, "not used: the variant 'b' suits this machine too");
    expect(report, "b", TERN_STAGE_FILE, true, "");
    expect(report, "b2", TERN_STAGE_FILE, true,
           "the same device and variant was found earlier, in");
    expect(report, "c", TERN_STAGE_MANIFEST, false, "it requires the CPU feature 'quantum'");
    expect(report, "same", TERN_STAGE_FILE, true, "not used: its library is also that of");
    expect(report, "link", TERN_STAGE_FILE, true, "this is the same file as");
    cr_assert_eq(tern_load_report_device_count(report), 1);
    cr_assert_str_eq(tern_load_report_device_at(report, 0)->variant, "b");
    cr_assert(tern_load_report_ok(report));
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, a_broken_override_does_not_hide_the_sound_one) {
    plugin_folder first = folder_open();
    folder_write(&first, "legal.tern", "device = legal\nlibrary = gone.so\nabi = 0\n");
    plugin_folder second = folder_open();
    folder_add(&second, "legal", "legal", "");
    char path[256];
    snprintf(path, sizeof path, "%s:%s:%s", first.path, second.path, first.path);
    setenv("TERN_PLUGIN_PATH", path, 1);
    tern_load_report *report = report_of(0);
    cr_assert_eq(tern_load_report_device_count(report), 1);
    cr_assert_eq(tern_load_report_device_at(report, 0)->state, TERN_STATE_NOT_PROBED);
    cr_assert_eq(tern_load_report_search_count(report), 3);
    cr_assert_not(tern_load_report_search_at(report, 2)->found);
    cr_assert_str_eq(tern_load_report_search_at(report, 2)->message,
                     "searched already: listed twice");
    cr_assert_null(tern_load_report_search_at(report, 3));
    cr_assert_null(tern_load_report_plugin_at(report, 2));
    cr_assert_null(tern_load_report_device_at(report, 1));
    tern_load_report_free(report);
    folder_close(&second);
    folder_close(&first);
}

Test(load_report, the_default_follows_the_environment) {
    plugin_folder f = folder_open();
    folder_add(&f, "cpu_legal", "legal_cpu", "priority = 1\n");
    folder_add(&f, "two", "legal_two", "priority = 2\n");
    static const struct {
        const char *variable, *name;
        tern_device_state state;
    } cases[] = {{"", "two", TERN_STATE_NOT_PROBED},
                 {"cpu", "cpu_legal", TERN_STATE_NOT_PROBED},
                 {"cpu_legal", "cpu_legal", TERN_STATE_NOT_PROBED},
                 {"nobody", "nobody", TERN_STATE_UNKNOWN},
                 {"what is this", "what is this", TERN_STATE_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setenv("TERN_DEVICE", cases[i].variable, 1);
        tern_load_report *report = report_of(0);
        cr_assert_str_eq(default_of(report), cases[i].name);
        cr_assert_eq(device_of(report, cases[i].name)->state, cases[i].state);
        cr_assert_eq(tern_load_report_ok(report), cases[i].state != TERN_STATE_UNKNOWN);
        tern_load_report_free(report);
    }
    folder_close(&f);
}

Test(load_report, a_failure_in_this_process_is_kept) {
    plugin_folder f = folder_open();
    folder_add(&f, "query_fails", "query_fails", "");
    tern_fault fault = {0};
    tern_device *device;
    cr_assert_neq(tern_registry_open("query_fails", &device, &fault), TERN_OK);
    tern_load_report *report = report_of(0);
    expect(report, "query_fails", TERN_STAGE_QUERY, false, "the moon is in the wrong phase");
    cr_assert_eq(device_of(report, "query_fails")->state, TERN_STATE_UNAVAILABLE);
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, texts_are_valid_utf8) {
    plugin_folder f = folder_open();
    setenv("TERN_PLUGIN_PATH", "/tmp/b\xff\x1b[2J\xc3\xa4\xe2\x82", 1);
    tern_load_report *report = report_of(0);
    cr_assert_str_eq(tern_load_report_search_at(report, 0)->path, "/tmp/b??[2J\xc3\xa4??");
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, every_allocation_that_fails_gives_no_report) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    uint64_t n = 1;
    for (;; n++) {
        tern_fail_allocation(n);
        tern_load_report *report = tern_load_report_new(0);
        tern_fail_allocation(0);
        if (!report) continue;
        tern_load_report_free(report);
        break;
    }
    cr_assert(n > 6, "only %d calls", (int)n);
    tern_load_report_free(NULL);
    folder_close(&f);
}

/* ---- with the helper ------------------------------------------------------------------------- */

Test(load_report, a_probe_shows_what_each_device_is) {
    plugin_folder f = folder_open();
    folder_add(&f, "two", "legal_two", "priority = 5\n");
    folder_add(&f, "cpu_legal", "legal_cpu", "priority = 1\n");
    folder_add(&f, "noisy", "noisy", "");
    tern_load_report *report = report_of(PATIENT);
    expect(report, "two", TERN_STAGE_READY, true, "");
    expect(report, "noisy", TERN_STAGE_READY, true, "");
    const tern_device_entry *d = device_of(report, "two:1");
    cr_assert_eq(d->state, TERN_STATE_READY);
    cr_assert_str_eq(d->plugin, "two");
    cr_assert_str_eq(d->identity, "0000:01:00.0");
    cr_assert_str_eq(d->reason, "test device 1");
    cr_assert_eq(d->memory, UINT64_C(1) << 30);
    cr_assert_str_eq(default_of(report), "two:0");
    /* Both name the same piece of hardware. */
    cr_assert_str_eq(device_of(report, "cpu_legal")->reason,
                     "test device 0; the same hardware as two:0");
    cr_assert(tern_load_report_ok(report));
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, a_probe_survives_every_wrong_plugin) {
    static const struct {
        const char *name;
        tern_load_stage stage;
        const char *words;
    } cases[] = {
        {"crash_at_load", TERN_STAGE_LOAD, "it crashes (signal 11"},
        {"crash_at_open", TERN_STAGE_OPEN, "it crashes (signal 6"},
        {"exit_at_load", TERN_STAGE_LOAD,
         "it ends the process (exit status 0) while it was loaded"},
        {"symbol_none", TERN_STAGE_LOAD, "it is not a Tern plugin"},
        {"symbol_undefined", TERN_STAGE_LOAD, "tern_test_nobody_has_this"},
        {"abi_other", TERN_STAGE_QUERY, "it was built for plugin ABI 7.0"},
        {"abi_0_1", TERN_STAGE_QUERY, "it was built for plugin ABI 0.1"},
        {"query_fails", TERN_STAGE_QUERY, "the moon is in the wrong phase"},
        {"queues_half", TERN_STAGE_OPEN, "queues and events must be set all or none"},
        {"plans_half", TERN_STAGE_OPEN, "plan_free must be set all or none"},
        {"replays_half", TERN_STAGE_OPEN, "replay_free must be set all or none"},
        {"host_alloc_half", TERN_STAGE_OPEN, "host_alloc and host_free must be set both or none"},
        {"open_fails", TERN_STAGE_OPEN, "device 0 is on fire?and more"},
        {"hardware_none", TERN_STAGE_OPEN, "no such hardware was found"},
        {"sanitizer_runtime", TERN_STAGE_FILE, "build both alike"},
    };
    plugin_folder f = folder_open();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        folder_add(&f, cases[i].name, cases[i].name, "priority = 50\n");
    folder_add(&f, "cpu_legal", "legal_cpu", "");
    tern_load_report *report = report_of(PATIENT);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect(report, cases[i].name, cases[i].stage, false, cases[i].words);
        cr_assert_eq(device_of(report, cases[i].name)->state, TERN_STATE_UNAVAILABLE);
        cr_assert_not_null(strstr(device_of(report, cases[i].name)->reason, cases[i].words));
    }
    expect(report, "cpu_legal", TERN_STAGE_READY, true, "");
    cr_assert_eq(device_of(report, "cpu_legal")->state, TERN_STATE_READY);
    cr_assert_str_eq(default_of(report), "cpu_legal");
    cr_assert_not(tern_load_report_ok(report), "broken plugins went unnoticed");
    tern_load_report_free(report);
    folder_close(&f);
}

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

Test(load_report, a_plugin_that_hangs_is_ended) {
    plugin_folder f = folder_open();
    folder_add(&f, "hang_at_load", "hang_at_load", "");
    double start = seconds_now();
    tern_load_report *report = report_of(1000);
    double seconds = seconds_now() - start;
    expect(report, "hang_at_load", TERN_STAGE_LOAD, false, "it hangs: no answer within 1000 ms");
    cr_assert(seconds >= 1.0 && seconds < 10.0, "%f seconds", seconds);
    tern_load_report_free(report);
    folder_close(&f);
}

Test(load_report, a_missing_helper_is_said) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    char *before = saved_variable("TERN_PROBE");
    setenv("TERN_PROBE", "/nonexistent/tern-probe", 1);
    tern_load_report *report = report_of(PATIENT);
    restore_variable("TERN_PROBE", before);
    cr_assert_eq(device_of(report, "legal")->state, TERN_STATE_NOT_PROBED);
    cr_assert_not_null(strstr(device_of(report, "legal")->reason, "/nonexistent"));
    cr_assert_not(tern_load_report_ok(report));
    tern_load_report_free(report);
    folder_close(&f);
}
