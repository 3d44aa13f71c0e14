/* What kernels are called in messages, and a device that lacks one. */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/call/op.h"
#include "tern/ops.h"
#include "test_plugins.h"

Test(kernel_text, has_a_name_for_every_kernel_and_member) {
    static const struct {
        int32_t kernel, last; /* member */
    } families[] = {{TERN_KERNEL_UNARY, TERN_UNARY_TRIGAMMA},
                    {TERN_KERNEL_BINARY, TERN_BINARY_HEAVISIDE},
                    {TERN_KERNEL_TERNARY, TERN_TERNARY_LERP},
                    {TERN_KERNEL_REDUCE, TERN_REDUCE_MEAN},
                    {TERN_KERNEL_SCAN, TERN_SCAN_LOGCUMSUMEXP}};
    tern_ctx *ctx = tern_open("cpu");
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(1), TERN_INT64), *all[] = {x, x, x, x, x, x};
    char text[TERN_KERNEL_TEXT];
    for (int32_t kernel = TERN_KERNEL_FILL; kernel <= TERN_KERNEL_RESIZE_GRAD; kernel++)
        cr_assert_not(strstr(tern_kernel_text(kernel, 0, all, 1, all, 1, text), "unknown"), "%d",
                      (int)kernel);
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (int32_t fn = 1; fn <= families[i].last; fn++) {
            tern_kernel_text(families[i].kernel, fn, all, 1, all, 1, text);
            cr_assert_neq(strchr(text, ' ')[1], '(', "%s of member %d", text, (int)fn);
        }
    cr_assert_str_eq(
        tern_kernel_text(TERN_KERNEL_BINARY, TERN_BINARY_DIV_FLOOR, all, 2, all, 1, text),
        "binary div_floor (int64, int64 -> int64)");
    cr_assert_str_eq(tern_kernel_text(TERN_KERNEL_FILL, 0, NULL, 0, all, 1, text),
                     "fill (-> int64)");
    cr_assert_str_eq(tern_kernel_text(TERN_KERNEL_INDEX_GET, 0, all, 6, all, 1, text),
                     "index get (int64, int64, int64, int64, ... -> int64)");
    cr_assert_str_eq(tern_kernel_text(999, 1, all, 1, all, 1, text), "unknown (int64 -> int64)");
    tern_close(ctx);
}

/* ---- a device without kernels for a dtype ---- */

static char notice[512];

static void keep_notice(void *user, tern_log_level level, const char *message) {
    (void)user;
    if (level == TERN_LOG_WARNING) strncpy(notice, message, sizeof notice - 1);
}

static bool (*has_kernel)(tern_bdevice *device, const tern_kernel_query *query,
                          const char **out_reason);

static bool no_scans_of_doubles(tern_bdevice *device, const tern_kernel_query *query,
                                const char **out_reason) {
    if (query->kernel != TERN_KERNEL_SCAN || query->input_dtypes[0] != TERN_BT_FLOAT64)
        return has_kernel(device, query, out_reason);
    *out_reason = "no doubles here";
    return false;
}

static tern_ctx *open_discrete(void) {
    find_test_plugins();
    tern_ctx *ctx = tern_open("discrete");
    forget_test_plugins();
    return ctx;
}

static tern_tensor *running_sum(tern_tensor *x) {
    tern_value args[] = {tern_tensor_value(x), tern_int(0)};
    return tern_call(tern_context_of(x), "cumsum", args, 2, tern_none()).as.tensor;
}

Test(kernel_text, names_kernel_member_and_dtypes_that_a_device_lacks) {
    tern_ctx *ctx = open_discrete();
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_bdevice_vtable *vtable = &ctx->lanes[0]->device->vtable;
    has_kernel = vtable->supports;
    vtable->supports = no_scans_of_doubles;
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT64);
    running_sum(x);
    cr_assert(strstr(tern_error(ctx), "discrete:0 has no kernel for scan cumsum (float64 -> "
                                      "float64): no doubles here"),
              "%s", tern_error(ctx));
    tern_error_clear(ctx);
    ctx->allow_fallback = ctx->warn_fallback = true;
    tern_on_log(keep_notice, NULL);
    tern_tensor *sums = running_sum(x);
    cr_assert_eq(tern_item(tern_select(sums, 0, 2)), 3, "%s", tern_error(ctx));
    tern_on_log(NULL, NULL);
    cr_assert(strstr(notice, "has no kernel for scan cumsum (float64 -> float64): no doubles here; "
                             "it ran on cpu"),
              "%s", notice);
    vtable->supports = has_kernel;
    tern_close(ctx);
}
