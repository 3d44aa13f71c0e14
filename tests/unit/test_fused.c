/* Fused kernels are used where the device has them, and not where their family is switched off. */
#define _GNU_SOURCE /* setenv */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tern/tern.h"

static tern_ctx *ctx;

static void open_context(void) {
    ctx = tern_open("cpu_ref");
}
static void close_context(void) {
    tern_close(ctx);
}
TestSuite(fused, .init = open_context, .fini = close_context);

static uint64_t launches_of_silu(void) {
    tern_tensor *x = tern_linspace(ctx, -1, 1, 8);
    uint64_t before = tern_stats_of(ctx).launches;
    tern_silu(x);
    return tern_stats_of(ctx).launches - before;
}

Test(fused, a_family_that_is_switched_off_is_composed) {
    cr_assert_eq(launches_of_silu(), 1);
    tern_set_composed(ctx, "map", true);
    cr_assert_gt(launches_of_silu(), 1);
    cr_assert_not(tern_fuses(ctx, "map", TERN_FLOAT32));
    tern_set_composed(ctx, "softmax,map", false);
    cr_assert_eq(launches_of_silu(), 1);
    cr_assert(tern_fuses(ctx, "map", TERN_FLOAT32));
    tern_set_composed(ctx, "all", true);
    cr_assert_gt(launches_of_silu(), 1);
    cr_assert_eq(tern_check(ctx), TERN_OK);
}

Test(fused, a_context_begins_with_what_the_environment_names) {
    setenv("TERN_COMPOSED", "map", 1);
    tern_ctx *own = tern_open("cpu_ref");
    unsetenv("TERN_COMPOSED");
    cr_assert_not(tern_fuses(own, "map", TERN_FLOAT32));
    cr_assert_eq(tern_close(own), TERN_OK);
}

Test(fused, an_unknown_family_is_refused_by_name) {
    tern_set_composed(ctx, "map,sofmax", true);
    cr_assert(strstr(tern_error(ctx), "'sofmax'"), "%s", tern_error(ctx));
    cr_assert(strstr(tern_error(ctx), "log_softmax"), "%s", tern_error(ctx));
    cr_assert(tern_fuses(ctx, "map", TERN_FLOAT32), "half of a list is not taken");
}

Test(fused, families_are_listed_once) {
    size_t count = 0;
    while (tern_fused_family_at(count)) count++;
    cr_assert_geq(count, 8);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++)
            cr_assert_str_neq(tern_fused_family_at(i), tern_fused_family_at(k));
    cr_assert_not(tern_fuses(ctx, "map", TERN_INT64), "no floating dtype");
    cr_assert_not(tern_fuses(ctx, NULL, TERN_FLOAT32));
}
