/* Devices by their strings, from real small plugins in a folder of the test's own. */
#define _GNU_SOURCE /* setenv */
#include "core/plugin/registry.h"

#include <pthread.h>

#include "core/plugin/device_string.h"
#include "plugin_folder.h"
#include "tern/context.h"

/* ---- helpers --------------------------------------------------------------------------------- */

static tern_device *opened(const char *spec) {
    tern_fault fault = {0};
    tern_device *device = NULL;
    cr_assert_eq(tern_registry_open(spec, &device, &fault), TERN_OK, "%s: %s", spec ? spec : "-",
                 fault.message);
    cr_assert_not_null(device);
    return device;
}

/* The string does not open, for a reason that holds both texts. */
static void refused(const char *spec, tern_status status, const char *words, const char *more) {
    tern_fault fault = {0};
    tern_device *device = NULL;
    tern_status got = tern_registry_open(spec, &device, &fault);
    cr_assert_null(device);
    cr_assert_eq(got, status, "%s: status %d: %s", spec, (int)got, fault.message);
    cr_assert_not_null(strstr(fault.message, words), "%s", fault.message);
    cr_assert_not_null(strstr(fault.message, more), "%s", fault.message);
    cr_assert_null(strchr(fault.message, '\n'), "more than one line");
}

static char log_lines[4096];

static void keep_log(void *user, tern_log_level level, const char *message) {
    (void)user, (void)level;
    strncat(log_lines, message, sizeof log_lines - strlen(log_lines) - 2);
    strcat(log_lines, "\n");
}

/* ---- opening by name ------------------------------------------------------------------------- */

Test(registry, a_named_device_opens) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    tern_device *d = opened("legal");
    cr_assert_str_eq(d->name, "legal:0");
    cr_assert_str_eq(d->plugin, "legal");
    cr_assert_str_eq(d->reason, "legal");
    cr_assert_not(d->is_cpu);
    cr_assert_not_null(d->vtable.launch);
    cr_assert_null(d->vtable.queue_create);
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, the_same_device_twice_is_one_object) {
    plugin_folder f = folder_open();
    folder_add(&f, "two", "legal_two", "");
    tern_device *a = opened("two");
    tern_device *b = opened("two:0");
    tern_device *c = opened("two:1");
    cr_assert_eq(a, b);
    cr_assert_neq(a, c);
    cr_assert_str_eq(c->name, "two:1");
    cr_assert_eq(a->references, 2);
    tern_registry_close(a);
    cr_assert_eq(b->references, 1);
    tern_registry_close(b);
    tern_registry_close(c);
    tern_registry_close(NULL);
    folder_close(&f);
}

Test(registry, a_device_opens_again_after_its_last_close) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    tern_registry_close(opened("legal"));
    tern_registry_close(opened("legal"));
    folder_close(&f);
}

Test(registry, cpu_is_the_best_plugin_of_the_cpu_family) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "priority = 500\n");
    folder_add(&f, "cpu_legal", "legal_cpu", "priority = 20\n");
    folder_add(&f, "cpu_slow", "legal_old", "priority = 10\n");
    tern_device *d = opened("cpu");
    cr_assert_str_eq(d->name, "cpu_legal");
    cr_assert(d->is_cpu);
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, the_environment_names_the_device_where_the_program_does_not) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    folder_add(&f, "two", "legal_two", "priority = 9\n");
    setenv("TERN_DEVICE", "legal", 1);
    tern_device *d = opened(NULL);
    cr_assert_str_eq(d->reason, "TERN_DEVICE=legal");
    tern_registry_close(d);
    d = opened("two");
    cr_assert_str_eq(d->name, "two:0", "the program's own word counts more");
    tern_registry_close(d);
    setenv("TERN_DEVICE", "", 1);
    d = opened(NULL);
    cr_assert_str_eq(d->name, "two:0", "empty is auto");
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, a_smaller_struct_ends_in_zeroes) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal_old", "legal_old", "");
    tern_registry_close(opened("legal_old")); /* its shutdown, beyond its size, would abort */
    folder_close(&f);
}

/* ---- what cannot be opened ------------------------------------------------------------------- */

Test(registry, an_unknown_device_is_answered_with_the_known_ones) {
    plugin_folder f = folder_open();
    folder_add(&f, "cpu_legal", "legal_cpu", "");
    folder_write(&f, "gpu.tern", "device = gpu\nlibrary = lib/libgpu.so\nabi = 0\n");
    refused("foo", TERN_ERR_NOT_FOUND,
            "unknown device 'foo': this installation knows cpu, cpu_legal, gpu (not installed: "
            "libgpu.so is missing)",
            "");
    refused("gpu", TERN_ERR_NOT_FOUND,
            "device 'gpu' is not available: not installed: libgpu.so is missing", "");
    folder_close(&f);
}

Test(registry, no_plugin_at_all_names_the_folders) {
    plugin_folder f = folder_open();
    char path[256];
    snprintf(path, sizeof path, "%s:plugins.d:/nonexistent/tern", f.path);
    setenv("TERN_PLUGIN_PATH", path, 1);
    refused("cpu", TERN_ERR_NOT_FOUND, "plugins.d (skipped: not an absolute path",
            "/nonexistent/tern (there is no such folder)");
    refused(NULL, TERN_ERR_NOT_FOUND, "device 'auto': no plugin was found; searched", f.path);
    folder_close(&f);
}

Test(registry, the_working_directory_is_never_searched) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    char before[4096];
    cr_assert_not_null(getcwd(before, sizeof before));
    cr_assert_eq(chdir(f.path), 0);
    setenv("TERN_PLUGIN_PATH", ".:", 1);
    tern_fault fault = {0};
    tern_device *device = NULL;
    tern_status status = tern_registry_open("legal", &device, &fault);
    cr_assert_eq(chdir(before), 0);
    cr_assert_eq(status, TERN_ERR_NOT_FOUND);
    tern_registry_close(device);
    folder_close(&f);
}

Test(registry, an_index_beyond_the_last_is_named) {
    plugin_folder f = folder_open();
    folder_add(&f, "two", "legal_two", "");
    folder_add(&f, "legal", "legal", "");
    refused("two:2", TERN_ERR_NOT_FOUND, "device 'two:2' cannot be opened",
            "there are only two:0 to two:1");
    refused("legal:1", TERN_ERR_NOT_FOUND, "there is only legal:0", "");
    tern_registry_close(opened("two:1"));
    folder_close(&f);
}

Test(registry, a_broken_device_string_is_an_argument_error) {
    static const char *const bad[] = {
        "",         " cpu",    "cpu ",     "CPU", "cuda:", "cuda:x", "cuda:-1",
        "cuda:0x1", "cuda: 1", "cuda:1:2", ":0",  "a/b",   "auto:0", "cuda:99999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tern_fault fault = {0};
        tern_device *device;
        cr_assert_eq(tern_registry_open(bad[i], &device, &fault), TERN_ERR_ARGUMENT, "'%s'",
                     bad[i]);
        cr_assert_not_null(strstr(fault.message, "bad device"));
    }
    refused("x\n\x1b[2J", TERN_ERR_ARGUMENT, "bad device 'x??[2J'", "");
    refused("a_name_that_is_much_longer_than_any_device_has_it", TERN_ERR_ARGUMENT, "too long", "");
}

Test(registry, a_wrong_thread_count_is_said_and_no_error) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    char *before = saved_variable("TERN_NUM_THREADS");
    log_lines[0] = '\0';
    tern_on_log(keep_log, NULL);
    setenv("TERN_NUM_THREADS", "many", 1);
    tern_registry_close(opened("legal"));
    tern_on_log(NULL, NULL);
    cr_assert_not_null(strstr(log_lines, "TERN_NUM_THREADS is 'many'"), "%s", log_lines);
    restore_variable("TERN_NUM_THREADS", before);
    folder_close(&f);
}

/* Each wrong plugin, and the words that its refusal must hold. */
static const struct {
    const char *device, *plugin, *words;
} wrong_plugins[] = {
    {"abi_other", "abi_other", "it was built for plugin ABI 7.0, but this Tern has ABI 0"},
    {"query_fails", "query_fails", "the moon is in the wrong phase"},
    {"desc_short", "desc_short", "its descriptor has only 16 bytes"},
    {"name_other", "name_other",
     "the library calls itself 'somebody_else', its manifest says 'name_other'"},
    {"sanitizer_other", "sanitizer_other", "built with sanitizer 'hardware'"},
    {"queues_half", "queues_half", "queues and events must be set all or none"},
    {"hardware_none", "hardware_none", "no such hardware was found"},
    {"open_fails", "open_fails", "device 0 is on fire?and more"},
    {"symbol_none", "symbol_none", "it is not a Tern plugin"},
    {"symbol_undefined", "symbol_undefined", "tern_test_nobody_has_this"},
    {"sanitizer_runtime", "sanitizer_runtime", "and this process was not: build both alike"},
};
enum { WRONG = sizeof wrong_plugins / sizeof wrong_plugins[0] };

Test(registry, each_wrong_plugin_is_refused_with_its_reason) {
    plugin_folder f = folder_open();
    for (size_t i = 0; i < WRONG; i++)
        folder_add(&f, wrong_plugins[i].device, wrong_plugins[i].plugin, "");
    for (size_t i = 0; i < WRONG; i++) {
        tern_fault fault = {0};
        tern_device *device = NULL;
        cr_assert_neq(tern_registry_open(wrong_plugins[i].device, &device, &fault), TERN_OK);
        cr_assert_not_null(strstr(fault.message, wrong_plugins[i].words), "%s", fault.message);
        cr_assert_not_null(strstr(fault.message, wrong_plugins[i].device), "%s", fault.message);
    }
    folder_close(&f);
}

Test(registry, wrong_plugins_do_not_hide_the_others) {
    plugin_folder f = folder_open();
    for (size_t i = 0; i < WRONG; i++)
        folder_add(&f, wrong_plugins[i].device, wrong_plugins[i].plugin, "priority = 100\n");
    folder_write(&f, "nonsense.tern", "this is no manifest\n");
    folder_add(&f, "legal", "legal", "priority = 1\n");
    log_lines[0] = '\0';
    tern_on_log(keep_log, NULL);
    tern_device *d = opened("auto");
    tern_on_log(NULL, NULL);
    cr_assert_str_eq(d->name, "legal:0");
    cr_assert_not_null(strstr(d->reason, "auto: legal:0 is the best that opened"), "%s", d->reason);
    for (size_t i = 0; i < WRONG; i++)
        cr_assert_not_null(strstr(log_lines, wrong_plugins[i].words), "%s is not in the log: %s",
                           wrong_plugins[i].words, log_lines);
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, a_file_that_cannot_be_loaded_is_never_loaded) {
    plugin_folder f = folder_open();
    folder_add(&f, "text", "legal", "");
    folder_write(&f, "text.so",
                 "this is a text file, quite a long one, but not a library at all\n");
    folder_write(&f, "text.tern", "device = text\nlibrary = text.so\nabi = 0\n");
    refused("text", TERN_ERR_DEVICE, "text.so is not a shared library", "");
    folder_write(&f, "empty.so", "");
    folder_write(&f, "empty.tern", "device = empty\nlibrary = empty.so\nabi = 0\n");
    refused("empty", TERN_ERR_DEVICE, "empty.so is not a shared library", "");
    folder_copy_part(&f, "legal", "half.so", 9000);
    folder_write(&f, "half.tern", "device = half\nlibrary = half.so\nabi = 0\n");
    refused("half", TERN_ERR_DEVICE, "half.so is truncated", "");
    folder_write(&f, "dir.tern", "device = dir\nlibrary = .\nabi = 0\n");
    refused("dir", TERN_ERR_DEVICE, "is a folder, not a library", "");
    folder_close(&f);
}

Test(registry, a_library_for_another_machine_is_told) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    FILE *file = fopen(folder_file(&f, "legal.so"), "r+b");
    fseek(file, 18, SEEK_SET); /* e_machine */
    fputc(0x2a, file);         /* EM_SH */
    fclose(file);
    refused("legal", TERN_ERR_DEVICE,
            "was built for another machine (64 bits), but this process is",
            "install the plugin for this machine");
    folder_close(&f);
}

Test(registry, manifests_of_another_machine_or_abi_are_told) {
    plugin_folder f = folder_open();
    folder_add(&f, "far", "legal", "arch = vax\n");
    folder_add(&f, "strange", "legal", "requires = quantum\n");
    folder_write(&f, "old.tern", "device = old\nlibrary = legal.so\nabi = 9\n");
    refused("far", TERN_ERR_UNSUPPORTED, "it is for vax, but this machine is", "");
    refused("strange", TERN_ERR_UNSUPPORTED,
            "it requires the CPU feature 'quantum', which this Tern does not know", "");
    refused("old", TERN_ERR_DEVICE, "it was built for plugin ABI 9, but this Tern has ABI 0", "");
    folder_close(&f);
}

/* ---- which one of several -------------------------------------------------------------------- */

Test(registry, among_variants_the_features_count_then_the_priority) {
    plugin_folder f = folder_open();
    folder_copy_part(&f, "legal", "a.so", (size_t)-1);
    folder_copy_part(&f, "abi_other", "b.so", (size_t)-1);
    folder_copy_part(&f, "query_fails", "c.so", (size_t)-1);
    folder_write(&f, "a.tern", "device=legal\nvariant=plain\nlibrary=a.so\nabi=0\npriority=2\n");
    folder_write(&f, "b.tern",
                 "device=legal\nvariant=best\nlibrary=b.so\nabi=0\npriority=9\nrequires=quantum\n");
    folder_write(&f, "c.tern", "device=legal\nvariant=slow\nlibrary=c.so\nabi=0\npriority=1\n");
    /* Only the middle one is sound; were a loser opened, it would fail. */
    tern_registry_close(opened("legal"));
    folder_close(&f);
}

Test(registry, the_first_folder_wins) {
    plugin_folder first = folder_open();
    folder_add(&first, "legal", "legal", "");
    plugin_folder second = folder_open();
    folder_add(&second, "legal", "query_fails", "priority = 100\n");
    char path[256];
    snprintf(path, sizeof path, "%s:%s", first.path, second.path);
    setenv("TERN_PLUGIN_PATH", path, 1);
    tern_registry_close(opened("legal"));
    snprintf(path, sizeof path, "%s:%s", second.path, first.path);
    setenv("TERN_PLUGIN_PATH", path, 1);
    refused("legal", TERN_ERR_DEVICE, "the moon is in the wrong phase", "");
    folder_close(&second);
    folder_close(&first);
}

Test(registry, auto_goes_by_priority_and_stops_at_the_first_that_opens) {
    plugin_folder f = folder_open();
    folder_add(&f, "two", "legal_two", "priority = 50\n");
    folder_add(&f, "cpu_legal", "legal_cpu", "priority = 10\n");
    tern_device *d = opened("auto");
    cr_assert_str_eq(d->name, "two:0");
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, auto_ranks_the_cpus_own_plugin_above_a_disguised_cpu) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "priority = 50\n"); /* its one device is of CPU type */
    folder_add(&f, "cpu_legal", "legal_cpu", "priority = 10\n");
    tern_device *d = opened("auto");
    cr_assert_str_eq(d->name, "cpu_legal");
    cr_assert_not_null(strstr(d->reason, "legal: it offers nothing but the CPU"), "%s", d->reason);
    tern_registry_close(d);
    unlink(folder_file(&f, "cpu_legal.tern"));
    d = opened("auto");
    cr_assert_str_eq(d->name, "legal:0", "better than nothing");
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, auto_without_a_manifest_that_can_be_read_says_why) {
    plugin_folder f = folder_open();
    folder_write(&f, "legal.tern", "device = legal\nlibrary = legal.so\nabi = 0\n");
    cr_assert_eq(chmod(folder_file(&f, "legal.tern"), 0664), 0);
    refused("auto", TERN_ERR_NOT_FOUND, "no device can be opened: file ",
            "is writable by its group");
    folder_close(&f);
}

Test(registry, auto_without_any_that_opens_says_why) {
    plugin_folder f = folder_open();
    folder_add(&f, "query_fails", "query_fails", "");
    refused("auto", TERN_ERR_NOT_FOUND,
            "no device can be opened: query_fails:", "the moon is in the wrong phase");
    folder_close(&f);
}

/* ---- threads and memory ---------------------------------------------------------------------- */

static void *open_and_close(void *unused) {
    (void)unused;
    for (int i = 0; i < 25; i++) {
        tern_fault fault = {0};
        tern_device *device;
        if (tern_registry_open(i % 2 ? "two:1" : "two", &device, &fault) != TERN_OK)
            return "failed";
        tern_registry_close(device);
    }
    return NULL;
}

Test(registry, threads_open_and_close_at_once) {
    plugin_folder f = folder_open();
    folder_add(&f, "two", "legal_two", "");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *problem;
        pthread_join(threads[i], &problem);
        cr_assert_null(problem);
    }
    tern_device *d = opened("two");
    cr_assert_eq(d->references, 1, "a reference was lost or left over");
    tern_registry_close(d);
    folder_close(&f);
}

Test(registry, every_allocation_that_fails_is_a_clean_error) {
    plugin_folder f = folder_open();
    folder_add(&f, "legal", "legal", "");
    folder_add(&f, "cpu_legal", "legal_cpu", "");
    uint64_t failures = 0;
    for (uint64_t n = 1;; n++) {
        tern_fault fault = {0};
        tern_device *device = NULL;
        tern_fail_allocation(n);
        tern_status status = tern_registry_open("auto", &device, &fault);
        tern_fail_allocation(0);
        if (status == TERN_OK) {
            tern_registry_close(device);
            break;
        }
        cr_assert_eq(status, TERN_ERR_OUT_OF_MEMORY, "call %d: %s", (int)n, fault.message);
        cr_assert_null(device);
        failures++;
    }
    cr_assert_geq(failures, 6, "only %d calls", (int)failures);
    folder_close(&f);
}
