/*
 * Plugins that were built for every version of the plugin ABI there ever was (tests/abi): today's is
 * loaded and computes, each other one is refused with a sentence that says why and what to do.
 */
#define _GNU_SOURCE /* setenv */
#include "plugin_folder.h"
#include "tern/backend.h"
#include "tern/context.h"
#include "tern/ops.h"
#include "tern/tensor.h"

static void adds(const char *device) {
    tern_ctx *ctx = tern_open(device);
    tern_tensor *a = tern_from_data(ctx, (float[]){1, 2, 3}, TERN_SHAPE(3), TERN_FLOAT32);
    tern_tensor *b = tern_full(ctx, TERN_SHAPE(3), 0.5, TERN_FLOAT32);
    float half[3] = {0}, sum[3] = {0};
    tern_to_host(tern_add(a, b), sum, sizeof sum);
    tern_to_host(b, half, sizeof half);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s: %s", device, tern_error(ctx));
    cr_assert_eq(sum[0], 1.5f);
    cr_assert_eq(sum[2], 3.5f);
    cr_assert_eq(half[1], 0.5f);
    tern_close(ctx);
}

static void is_refused(const char *device, const char *version) {
    char words[160];
    snprintf(
        words, sizeof words,
        "it was built for plugin ABI %s, but this Tern has ABI %d.%d: install a matching plugin",
        version, TERN_BACKEND_ABI_MAJOR, TERN_BACKEND_ABI_MINOR);
    tern_ctx *ctx = tern_open(device);
    cr_assert_eq(tern_check(ctx), TERN_ERR_DEVICE, "%s: %s", device, tern_error(ctx));
    cr_assert_not_null(strstr(tern_error(ctx), words), "%s", tern_error(ctx));
    cr_assert_null(strchr(tern_error(ctx), '\n'));
    tern_close(ctx);
}

Test(abi, todays_plugin_runs_and_every_other_is_refused) {
    char today[16];
    snprintf(today, sizeof today, "%d.%d", TERN_BACKEND_ABI_MAJOR, TERN_BACKEND_ABI_MINOR);
    plugin_folder f = folder_open();
    DIR *kept = opendir(TERN_TEST_SOURCE "/tests/abi");
    cr_assert_not_null(kept);
    int ran = 0, refused = 0;
    for (const struct dirent *entry; (entry = readdir(kept)) != NULL;) {
        int major = 0, minor = 0, end = 0;
        sscanf(entry->d_name, "backend_%d.%d.h%n", &major, &minor, &end);
        if (end == 0) continue;
        char version[16], device[32];
        snprintf(version, sizeof version, "%d.%d", major, minor);
        snprintf(device, sizeof device, "abi_%d_%d", major, minor);
        folder_add(&f, device, device, "");
        if (strcmp(version, today) == 0) {
            adds(device);
            ran++;
        } else {
            is_refused(device, version);
            refused++;
        }
    }
    closedir(kept);
    folder_close(&f);
    cr_assert_eq(ran, 1);
    cr_assert(refused >= 2);
}
