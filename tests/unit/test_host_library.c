/* Libraries for host operations: which one is taken, what it computes and what is left to the plain functions, one line
 * for each that is wrong; and LAPACK against the plain functions. */
#define _GNU_SOURCE /* setenv */
#include <math.h>

#include "core/plugin/host_library.h"
#include "plugin_folder.h"
#include "tern/context.h"
#include "tern/device.h"
#include "tern/ops.h"

#define PATIENT 20000 /* milliseconds */

static char log_text[4096];

static void keep_line(void *user, tern_log_level level, const char *message) {
    (void)user;
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%d: %s\n", (int)level, message);
}

/* The reference device, and what is in the folder. */
static tern_ctx *open_beside(const plugin_folder *f, const char *wanted) {
    char path[1024];
    snprintf(path, sizeof path, "%s:%s/lib/tern/cpu_ref.d", f->path, TERN_TEST_BUILD);
    setenv("TERN_PLUGIN_PATH", path, 1);
    setenv("TERN_HOST_LIBRARY", wanted, 1);
    tern_host_library_forget();
    log_text[0] = '\0';
    tern_on_log(keep_line, NULL);
    tern_ctx *ctx = tern_open("cpu_ref");
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return ctx;
}

static void close_beside(plugin_folder *f, tern_ctx *ctx) {
    tern_close(ctx);
    tern_on_log(NULL, NULL);
    unsetenv("TERN_HOST_LIBRARY");
    tern_host_library_forget();
    folder_close(f);
}

static void add_library(const plugin_folder *f, const char *host, const char *plugin,
                        const char *more) {
    char name[128], text[1024];
    snprintf(name, sizeof name, "%s.so", plugin);
    if (access(folder_file(f, name), F_OK) != 0) folder_copy_part(f, plugin, name, (size_t)-1);
    snprintf(text, sizeof text, "host = %s\nlibrary = %s.so\nabi = 0\n%s", host, plugin, more);
    snprintf(name, sizeof name, "%s.tern", host);
    folder_write(f, name, text);
}

/* [[4, 2], [2, 5]] */
static tern_tensor *positive(tern_ctx *ctx, tern_dtype dtype) {
    const float values[] = {4, 2, 2, 5};
    return tern_to_dtype(tern_from_data(ctx, values, TERN_SHAPE(2, 2), TERN_FLOAT32), dtype);
}

static double first_of_cholesky(tern_ctx *ctx, tern_dtype dtype) {
    tern_tensor *l = tern_cholesky(positive(ctx, dtype), false);
    double first = tern_item(tern_select(tern_select(l, 0, 0), 0, 0));
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    return first;
}

/* ---- which one ------------------------------------------------------------------------------- */

Test(host_library, computes_in_the_operands_precision_and_is_named) {
    plugin_folder f = folder_open();
    add_library(&f, "host_legal", "host_legal", "");
    tern_ctx *ctx = open_beside(&f, "");
    cr_assert_str_eq(tern_stats_of(ctx).host_library, "");
    uint64_t before = tern_stats_of(ctx).host_operations;
    cr_assert_eq(first_of_cholesky(ctx, TERN_FLOAT32), 32.0);
    cr_assert_eq(first_of_cholesky(ctx, TERN_FLOAT64), 64.0);
    cr_assert_eq(first_of_cholesky(ctx, TERN_BFLOAT16), 64.0, "half types are not float32's");
    cr_assert_str_eq(tern_stats_of(ctx).host_library, "host_legal");
    cr_assert_eq(tern_stats_of(ctx).host_operations - before, 3);
    cr_assert_not_null(strstr(log_text, "1: host operations: host_legal (a library of tests)"),
                       "%s", log_text);
    close_beside(&f, ctx);
}

Test(host_library, off_and_unknown_names_leave_the_plain_functions) {
    const char *names[] = {"off", "nobody"};
    for (int i = 0; i < 2; i++) {
        plugin_folder f = folder_open();
        add_library(&f, "host_legal", "host_legal", "");
        tern_ctx *ctx = open_beside(&f, names[i]);
        cr_assert_eq(first_of_cholesky(ctx, TERN_FLOAT32), 2.0);
        cr_assert_str_eq(tern_stats_of(ctx).host_library, "plain");
        bool warned = strstr(log_text, "2: TERN_HOST_LIBRARY is 'nobody', but no manifest") != NULL;
        cr_assert_eq(warned, i == 1, "%s", log_text);
        close_beside(&f, ctx);
    }
}

Test(host_library, the_greatest_priority_or_the_one_named) {
    const char *wanted[] = {"", "host_cut"};
    for (int i = 0; i < 2; i++) {
        plugin_folder f = folder_open();
        add_library(&f, "host_legal", "host_legal", "priority = 2\n");
        add_library(&f, "host_cut", "host_cut", "priority = 1\n");
        tern_ctx *ctx = open_beside(&f, wanted[i]);
        first_of_cholesky(ctx, TERN_FLOAT32);
        cr_assert_str_eq(tern_stats_of(ctx).host_library, i ? "host_cut" : "host_legal");
        close_beside(&f, ctx);
    }
}

/* ---- what it leaves -------------------------------------------------------------------------- */

Test(host_library, what_it_declines_or_lacks_is_computed_plainly) {
    plugin_folder f = folder_open();
    add_library(&f, "host_legal", "host_legal", "");
    tern_ctx *ctx = open_beside(&f, "");
    tern_tensor *a = positive(ctx, TERN_FLOAT64), *vectors;
    cr_assert_float_eq(tern_item(tern_det(a)), 16.0, 1e-12); /* lu declines */
    tern_tensor *values = tern_eigh(a, "L", &vectors);       /* there is no eigh */
    cr_assert_float_eq(tern_item(tern_sum(values)), 9.0, 1e-12);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    close_beside(&f, ctx);
}

Test(host_library, memory_that_it_lacks_is_the_operations_error) {
    plugin_folder f = folder_open();
    add_library(&f, "host_legal", "host_legal", "");
    tern_ctx *ctx = open_beside(&f, "");
    tern_tensor *r;
    tern_qr(positive(ctx, TERN_FLOAT64), &r);
    cr_assert_eq(tern_check(ctx), TERN_ERR_OUT_OF_MEMORY, "%s", tern_error(ctx));
    close_beside(&f, ctx);
}

Test(host_library, memory_that_it_lacks_when_it_is_loaded_is_no_reason_for_plain_functions) {
    plugin_folder f = folder_open();
    add_library(&f, "host_legal", "host_lacks_memory", "");
    tern_ctx *ctx = open_beside(&f, "");
    tern_cholesky(positive(ctx, TERN_FLOAT32), false);
    cr_assert_eq(tern_check(ctx), TERN_ERR_OUT_OF_MEMORY, "%s", tern_error(ctx));
    cr_assert_str_eq(tern_stats_of(ctx).host_library, "");
    close_beside(&f, ctx);
}

Test(host_library, functions_behind_a_short_tables_end_are_not_called) {
    plugin_folder f = folder_open();
    add_library(&f, "host_cut", "host_cut", "");
    tern_ctx *ctx = open_beside(&f, "");
    tern_tensor *a = positive(ctx, TERN_FLOAT64), *r, *q = tern_qr(a, &r);
    cr_assert_float_eq(tern_item(tern_max(tern_abs(tern_sub(tern_matmul(q, r), a)))), 0.0, 1e-12);
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(first_of_cholesky(ctx, TERN_FLOAT32), 32.0);
    close_beside(&f, ctx);
}

/* ---- what is wrong with it ------------------------------------------------------------------- */

static const struct {
    const char *host, *plugin;
    tern_load_stage stage;
    const char *words;
} wrong[] = {
    {"host_abi_other", "host_abi_other", TERN_STAGE_QUERY,
     "host library ABI 7.0, but this Tern has ABI 0.1"},
    {"host_name_other", "host_name_other", TERN_STAGE_QUERY,
     "calls itself 'somebody_else', its manifest says 'host_name_other'"},
    {"host_sanitizer_other", "host_sanitizer_other", TERN_STAGE_QUERY,
     "built with sanitizer 'other'"},
    {"host_short", "host_short", TERN_STAGE_QUERY, "its table has only 8 bytes"},
    {"host_refuses", "host_refuses", TERN_STAGE_QUERY,
     "refuses to work with this Tern: not on a?Monday"},
    {"no_symbol", "symbol_none", TERN_STAGE_LOAD, "it is not a Tern plugin"},
    {"a_device", "legal", TERN_STAGE_LOAD, "it is not a Tern plugin"},
    {"undefined", "symbol_undefined", TERN_STAGE_LOAD, "the dynamic linker refuses it"},
};
enum { WRONG = sizeof wrong / sizeof *wrong };

Test(host_library, one_that_is_wrong_is_one_warning_and_plain_functions_compute) {
    for (int i = 0; i < WRONG; i++) {
        plugin_folder f = folder_open();
        add_library(&f, wrong[i].host, wrong[i].plugin, "");
        tern_ctx *ctx = open_beside(&f, "");
        cr_assert_eq(first_of_cholesky(ctx, TERN_FLOAT32), 2.0, "%s", wrong[i].host);
        cr_assert_str_eq(tern_stats_of(ctx).host_library, "plain");
        const char *line = strstr(log_text, "2: host library '");
        cr_assert_not_null(line, "%s: %s", wrong[i].host, log_text);
        cr_assert_not_null(strstr(line, wrong[i].words), "%s: %s", wrong[i].host, line);
        cr_assert_null(strstr(line + 1, "\n2: "), "%s: two warnings: %s", wrong[i].host, line);
        first_of_cholesky(ctx, TERN_FLOAT32); /* it is not tried again */
        cr_assert_null(strstr(line + 1, "\n2: "), "%s: two warnings: %s", wrong[i].host, line);
        tern_load_report *report = tern_load_report_new(0); /* which knows what happened here */
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, 0);
        cr_assert_eq(p->stage, wrong[i].stage, "%s: %s", wrong[i].host, p->message);
        cr_assert(!p->ok && strstr(p->message, wrong[i].words), "%s: %s", p->host, p->message);
        tern_load_report_free(report);
        close_beside(&f, ctx);
    }
}

Test(host_library, the_report_probes_libraries_in_a_process_of_their_own) {
    for (int i = 0; i <= WRONG; i++) {
        plugin_folder f = folder_open();
        const char *host = i < WRONG ? wrong[i].host : "host_legal";
        add_library(&f, host, i < WRONG ? wrong[i].plugin : host, "");
        tern_load_report *report = tern_load_report_new(PATIENT);
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, 0);
        cr_assert_str_eq(p->host, host);
        cr_assert_str_eq(p->device, "");
        cr_assert_eq(p->ok, i == WRONG, "%s: %s", host, p->message);
        cr_assert_eq(p->stage, i < WRONG ? wrong[i].stage : TERN_STAGE_READY, "%s: %s", host,
                     p->message);
        cr_assert_not_null(strstr(p->message, i < WRONG ? wrong[i].words : "a library of tests"));
        cr_assert_eq(tern_load_report_device_count(report), 0, "a host library is no device");
        tern_load_report_free(report);
        folder_close(&f);
    }
}

Test(host_library, the_report_says_which_one_is_not_used) {
    plugin_folder f = folder_open();
    add_library(&f, "host_legal", "host_legal", "priority = 2\n");
    add_library(&f, "host_cut", "host_cut", "");
    const char *wanted[] = {"", "off"};
    const char *words[] = {"the host library 'host_legal' suits this machine too",
                           "not used: TERN_HOST_LIBRARY is 'off'"};
    for (int i = 0; i < 2; i++) {
        setenv("TERN_HOST_LIBRARY", wanted[i], 1);
        tern_load_report *report = tern_load_report_new(0);
        const tern_plugin_entry *p = tern_load_report_plugin_at(report, 0); /* by file name */
        cr_assert_str_eq(p->host, "host_cut");
        cr_assert(p->ok && p->code == TERN_ERR_STATE && strstr(p->message, words[i]), "%s",
                  p->message);
        tern_load_report_free(report);
    }
    unsetenv("TERN_HOST_LIBRARY");
    folder_close(&f);
}

/* ---- LAPACK, where it was built -------------------------------------------------------------- */

typedef tern_tensor *(*operation)(tern_tensor *a);

static tern_tensor *positive_of(tern_tensor *a) {
    return tern_matmul(a, tern_transpose(a, -2, -1));
}
static tern_tensor *of_cholesky(tern_tensor *a) {
    return tern_cholesky(positive_of(a), true);
}
static tern_tensor *of_cholesky_inverse(tern_tensor *a) {
    return tern_cholesky_inverse(tern_tril(a, 0), false);
}
static tern_tensor *of_lu(tern_tensor *a) {
    tern_tensor *pivots;
    return tern_lu_factor(a, &pivots);
}
static tern_tensor *of_solve(tern_tensor *a) {
    return tern_solve(a, tern_narrow(a, -1, 0, 3), true);
}
static tern_tensor *of_inv(tern_tensor *a) {
    return tern_inv(a);
}
static tern_tensor *of_det(tern_tensor *a) {
    return tern_det(a);
}
static tern_tensor *of_ldl(tern_tensor *a) {
    tern_tensor *pivots, *ld = tern_ldl_factor(tern_add(a, tern_transpose(a, -2, -1)), &pivots);
    return tern_ldl_solve(ld, pivots, tern_narrow(a, -1, 0, 3));
}
static tern_tensor *of_qr(tern_tensor *a) {
    tern_tensor *r, *q = tern_qr(a, &r);
    return tern_cat((tern_tensor *[]){q, r}, 2, -1);
}
static tern_tensor *of_tall_qr(tern_tensor *a) {
    tern_tensor *r;
    return tern_qr(tern_narrow(a, -1, 0, 5), &r);
}
static tern_tensor *of_svd(tern_tensor *a) {
    tern_tensor *s, *vh, *u = tern_linalg_svd(tern_narrow(a, -2, 0, 9), true, &s, &vh);
    tern_tensor *some = tern_matmul(tern_mul(u, tern_unsqueeze(s, -2)), tern_narrow(vh, -2, 0, 9));
    return tern_cat((tern_tensor *[]){some, tern_unsqueeze(tern_sum(s), 0)}, 1, 0);
}
static tern_tensor *of_svdvals(tern_tensor *a) {
    return tern_svdvals(a);
}
static tern_tensor *of_eigvalsh(tern_tensor *a) {
    return tern_eigvalsh(a, "U");
}
static tern_tensor *of_eigh(tern_tensor *a) {
    tern_tensor *v, *values = tern_eigh(a, "L", &v);
    return tern_matmul(tern_mul(v, tern_unsqueeze(values, -2)), tern_transpose(v, -2, -1));
}
static tern_tensor *of_exp(tern_tensor *a) {
    return tern_matrix_exp(a);
}
static tern_tensor *of_householder(tern_tensor *a) {
    tern_tensor *tau, *q = tern_geqrf(tern_narrow(a, -1, 0, 7), &tau);
    return tern_ormqr(q, tau, a, false, true);
}

static const struct {
    const char *name;
    operation of;
} operations[] = {
    {"cholesky", of_cholesky},
    {"cholesky_inverse", of_cholesky_inverse},
    {"lu", of_lu},
    {"solve", of_solve},
    {"inv", of_inv},
    {"det", of_det},
    {"ldl", of_ldl},
    {"qr", of_qr},
    {"qr, tall", of_tall_qr},
    {"svd", of_svd},
    {"svdvals", of_svdvals},
    {"eigvalsh", of_eigvalsh},
    {"eigh", of_eigh},
    {"matrix_exp", of_exp},
    {"householder", of_householder},
};
enum { OPERATIONS = sizeof operations / sizeof *operations, ORDER = 17 };

static bool have_lapack(void) {
    return access(TERN_TEST_BUILD "/lib/tern/plugins.d/lapack.tern", R_OK) == 0;
}

/* The real plugins, with one library or none. */
static tern_ctx *open_with(const char *library) {
    setenv("TERN_PLUGIN_PATH", TERN_TEST_BUILD "/lib/tern/plugins.d", 1);
    setenv("TERN_HOST_LIBRARY", library, 1);
    tern_host_library_forget();
    return tern_open("cpu_ref");
}

/* What the operation gives for a matrix of randn, whose element [1, 2] is replaced where `bad` is not 0, in double; its
 * length. Large values are cut, since a text of them says no more. */
static int64_t computed(const char *library, operation of, tern_dtype dtype, double bad,
                        double *out, int64_t space) {
    tern_ctx *ctx = open_with(library);
    tern_manual_seed(ctx, 7);
    tern_tensor *a = tern_to_dtype(tern_randn(ctx, TERN_SHAPE(ORDER, ORDER), NULL), dtype);
    if (bad != 0.0) tern_fill_in_place(tern_select(tern_select(a, 0, 1), 0, 2), bad);
    tern_tensor *x = tern_to_dtype(of(a), TERN_FLOAT64);
    int64_t count = tern_check(ctx) == TERN_OK ? tern_numel(x) : -1;
    cr_assert(count <= space);
    if (count > 0) tern_to_host(x, out, (size_t)count * sizeof *out);
    if (count >= 0)
        cr_assert_str_eq(tern_stats_of(ctx).host_library, *library == 'o' ? "plain" : library);
    tern_close(ctx);
    return count;
}

enum { MOST = 2 * ORDER * ORDER };

/* The length of both results, which must agree to `precision`; NaN agrees with NaN alone. */
static void compare(int i, tern_dtype dtype, double bad, double precision) {
    static double plain[MOST], lapack[MOST];
    const char *name = operations[i].name;
    int64_t count = computed("off", operations[i].of, dtype, bad, plain, MOST);
    cr_assert_eq(computed("lapack", operations[i].of, dtype, bad, lapack, MOST), count,
                 "%s with %g", name, bad);
    for (int64_t k = 0; k < count; k++) {
        double gap = fabs(plain[k] - lapack[k]), size = fabs(plain[k]) + 1.0;
        bool same = plain[k] == lapack[k] || (isnan(plain[k]) && isnan(lapack[k]));
        cr_assert(same || gap <= precision * size,
                  "%s of %s with %g: [%lld] is %.17g, plainly %.17g", name, tern_dtype_name(dtype),
                  bad, (long long)k, lapack[k], plain[k]);
    }
}

static char *path_before;
static void keep_path(void) {
    path_before = saved_variable("TERN_PLUGIN_PATH");
}
static void restore_path(void) {
    restore_variable("TERN_PLUGIN_PATH", path_before);
    unsetenv("TERN_HOST_LIBRARY");
    tern_host_library_forget();
}
TestSuite(lapack, .init = keep_path, .fini = restore_path);

Test(lapack, agrees_with_the_plain_functions) {
    for (int i = 0; have_lapack() && i < OPERATIONS; i++) {
        compare(i, TERN_FLOAT64, 0.0, 1e-11);
        compare(i, TERN_FLOAT32, 0.0, 2e-3);
    }
}

Test(lapack, leaves_nan_and_infinities_to_the_plain_functions) {
    const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; have_lapack() && i < OPERATIONS; i++)
        for (int k = 0; k < 3; k++) {
            compare(i, TERN_FLOAT64, bad[k], 1e-11);
            compare(i, TERN_FLOAT32, bad[k], 2e-3);
        }
}

/* A double's rounding error in the inverse of float32 would mean that float64 had computed it. */
Test(lapack, computes_float32_in_float32) {
    static double plain[MOST], lapack[MOST];
    if (!have_lapack()) return;
    int64_t count = computed("off", of_inv, TERN_FLOAT32, 0.0, plain, MOST), differ = 0;
    computed("lapack", of_inv, TERN_FLOAT32, 0.0, lapack, MOST);
    for (int64_t k = 0; k < count; k++) differ += plain[k] != lapack[k];
    cr_assert(differ > count / 2, "%lld of %lld differ", (long long)differ, (long long)count);
}

/* Every allocation of an operation fails in turn: the error is out of memory, and the next call works. */
static void fail_each(tern_ctx *ctx, int i, tern_dtype dtype) {
    tern_manual_seed(ctx, 7);
    tern_tensor *a = tern_to_dtype(tern_randn(ctx, TERN_SHAPE(2, ORDER, ORDER), NULL), dtype);
    tern_tensor *one = tern_select(a, 0, 0);
    for (uint64_t nth = 1, failed = 1; failed; nth++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_empty_cache(ctx);
        tern_fail_allocation(nth);
        tern_tensor *x = operations[i].of(one);
        failed = tern_check(ctx) != TERN_OK;
        tern_fail_allocation(0);
        if (failed)
            cr_assert_eq(tern_check(ctx), TERN_ERR_OUT_OF_MEMORY, "%s, %d: %s", operations[i].name,
                         (int)nth, tern_error(ctx));
        tern_error_clear(ctx);
        if (!failed)
            cr_assert(tern_numel(x) > 0 && nth > 3, "%s: %d allocations", operations[i].name,
                      (int)nth);
        tern_scope_end(scope);
    }
}

Test(lapack, memory_that_is_out_is_an_error_wherever_it_is) {
    for (int i = 0; have_lapack() && i < OPERATIONS; i++) {
        tern_ctx *ctx = open_with("lapack");
        fail_each(ctx, i, TERN_FLOAT64);
        fail_each(ctx, i, TERN_FLOAT32);
        cr_assert_str_eq(tern_stats_of(ctx).host_library, "lapack");
        tern_close(ctx);
    }
}

/* The first operation finds the library, with little memory too: it is either an error or LAPACK's. */
Test(lapack, memory_that_is_out_never_turns_to_the_plain_functions) {
    for (uint64_t nth = 1, failed = 1; have_lapack() && failed && nth < 2000; nth++) {
        tern_ctx *ctx = open_with("lapack");
        tern_tensor *a = positive(ctx, TERN_FLOAT64);
        tern_fail_allocation(nth);
        tern_cholesky(a, false);
        failed = tern_check(ctx) != TERN_OK;
        tern_fail_allocation(0);
        const char *name = tern_stats_of(ctx).host_library;
        cr_assert(strcmp(name, "plain") != 0, "allocation %d", (int)nth);
        cr_assert(failed || strcmp(name, "lapack") == 0, "allocation %d", (int)nth);
        tern_close(ctx);
    }
}

/* Each matrix of a batch, on several threads, is as it is alone. */
Test(lapack, a_batch_is_computed_as_its_matrices_are) {
    if (!have_lapack()) return;
    setenv("TERN_NUM_THREADS", "4", 1);
    tern_ctx *ctx = open_with("lapack");
    tern_tensor *a =
        tern_to_dtype(tern_randn(ctx, TERN_SHAPE(40, ORDER, ORDER), NULL), TERN_FLOAT64);
    tern_tensor *all = tern_inv(a), *values = tern_svdvals(a);
    for (int64_t i = 0; i < 40; i++) {
        tern_tensor *own = tern_select(a, 0, i);
        cr_assert(tern_equal(tern_inv(own), tern_select(all, 0, i)), "%lld", (long long)i);
        cr_assert(tern_equal(tern_svdvals(own), tern_select(values, 0, i)), "%lld", (long long)i);
    }
    cr_assert_eq(tern_check(ctx), TERN_OK, "%s", tern_error(ctx));
    tern_close(ctx);
    unsetenv("TERN_NUM_THREADS");
}
