/* One case: whether it runs, what it compares, and how a difference reads in the report. */
#define _GNU_SOURCE
#include "conformance.h"

#include "tern/ops.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void case_fail(test_case *t, const char *format, ...) {
    if (t->failed) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->what, sizeof t->what, format, arguments);
    va_end(arguments);
    t->failed = true;
}

/* ---- running --------------------------------------------------------------------------------- */

static bool matches_pattern(const char *pattern, const char *subject) {
    const char *slash = strrchr(subject, '/');
    if (fnmatch(pattern, subject, 0) == 0) return true;
    return slash && !strchr(pattern, '/') && fnmatch(pattern, slash + 1, 0) == 0;
}

/* One of the filter's patterns, which stand between commas, matches. */
static bool matches_filter(const char *filter, const char *subject) {
    char pattern[128];
    for (const char *at = filter; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, at);
        if (length < sizeof pattern && matches_pattern(pattern, subject)) return true;
        at += length;
    }
    return false;
}

/* True where what comes now was told by a process before this one. */
static bool ran_before(const conformance *run) {
    return run->next < run->first;
}

bool conformance_begin(conformance *run, const char *subject) {
    if (run->subject && strcmp(run->subject, subject) != 0) return false;
    if (run->filter && !matches_filter(run->filter, subject)) return false;
    run->now = subject;
    if (!ran_before(run)) report_subject(run->report, subject);
    return true;
}

void conformance_skip(conformance *run, const char *reason, int64_t cases) {
    if (!ran_before(run)) report_skip(run->report, reason, cases);
}

void conformance_fail_file(conformance *run) {
    if (!ran_before(run)) report_fail(run->report, "file", tern_error(run->ctx));
    tern_error_clear(run->ctx);
}

/* The cases of docs/differences.md: folder/subject:id. */
static const char *const differences[] = {
#include "differences.inc"
    NULL};
_Static_assert(sizeof differences / sizeof *differences <= 41, "at most 40 cases may differ");

/* True where this case may differ, for the reason that the list gives. The folder's own name counts,
 * not where it lies. */
static bool is_listed(const conformance *run, const char *id) {
    char name[PATH_MAX + 512], folder[PATH_MAX];
    if (!run->folder || !realpath(run->folder, folder)) return false;
    const char *slash = strrchr(folder, '/');
    snprintf(name, sizeof name, "%s/%s:%s", slash ? slash + 1 : folder, run->now, id);
    for (const char *const *listed = differences; *listed; listed++)
        if (strcmp(*listed, name) == 0) return true;
    return false;
}

/* The family of kernels of the operation that a case is about; what else a case is about, by the folder
 * of its subject. */
static const char *family_of(const conformance *run, const char *id) {
    static char folder[REPORT_NAME];
    char name[REPORT_NAME];
    tern_op_info info;
    bool is_operation = strncmp(run->now, "ops/", 4) == 0;
    bool is_property = strncmp(run->now, "properties/", 11) == 0;
    const char *text = is_operation ? run->now + 4 : id;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, is_property ? "#/:" : "/"), text);
    int32_t row = is_operation || is_property ? tern_find_operation(name).first : 0;
    if (row && tern_op_at((size_t)row - 1, &info)) return info.kernel[0] ? info.kernel : "composed";
    snprintf(folder, sizeof folder, "%.*s", (int)strcspn(run->now, "/"), run->now);
    return folder;
}

void conformance_case(conformance *run, const vectors_file *file, tern_value json, const char *id,
                      void (*fn)(test_case *t, void *user), void *user) {
    test_case t = {.run = run, .file = file, .json = json};
    if (run->case_id && strcmp(run->case_id, id) != 0) return;
    if (run->listing) {
        printf("%s:%s\n", run->now, id);
        return;
    }
    int64_t number = run->next++;
    if (number < run->first) return;
    if (run->given_up && strcmp(run->given_up, run->now) == 0) {
        report_skip(run->report, GIVEN_UP, 1);
        return;
    }
    report_begin(run->report, number, id, family_of(run, id));
    snprintf(t.id, sizeof t.id, "%s", id);
    tern_scope scope = tern_scope_begin(run->ctx, 0);
    fn(&t, user);
    if (tern_check(run->ctx) != TERN_OK) case_fail(&t, "%s", tern_error(run->ctx));
    if (t.failed && is_listed(run, t.id))
        report_skip(run->report, "listed in docs/differences.md", 1);
    else if (t.failed)
        report_fail(run->report, t.id, t.what);
    else if (t.skip)
        report_skip(run->report, t.skip, 1);
    else
        report_pass(run->report);
    tern_error_clear(run->ctx);
    tern_scope_end(scope);
}

/* ---- comparing ------------------------------------------------------------------------------- */

double case_error(const test_case *t, const char *label) {
    return tern_value_as_double(tern_dict_get(tern_dict_get(t->json, "error"), label));
}

void case_check(test_case *t, const char *label, tern_value result, tern_value reference,
                tern_dtype dtype, const tolerance *limit) {
    stored_tensor truth;
    comparison c;
    if (!vectors_tensor(t->file, reference.as.s, &truth)) return;
    if (!compare_result(t->run->ctx, result, &truth, dtype, limit, &c)) return;
    if (!c.equal) case_fail(t, "%s: %s", label, c.what);
    if (!limit->exact && !isnan(limit->torch_error) && result.kind == TERN_VALUE_TENSOR)
        report_accuracy(t->run->report, tern_dtype_of(result.as.tensor), c.error,
                        limit->torch_error);
}

void case_check_bits(test_case *t, const char *label, tern_value result, tern_value reference) {
    stored_tensor truth;
    comparison c;
    if (!vectors_tensor(t->file, reference.as.s, &truth)) return;
    if (!compare_bits(t->run->ctx, result, &truth, &c)) return;
    if (!c.equal) case_fail(t, "%s: %s", label, c.what);
}

tern_dtype dtype_of_text(tern_value text) {
    tern_dtype dtype;
    bool named = text.kind == TERN_VALUE_STRING && tern_dtype_parse(text.as.s, &dtype);
    return named ? dtype : TERN_DTYPE_DEFAULT;
}

bool shape_of_list(tern_value list, tern_shape *out_shape) {
    size_t count = tern_value_count(list);
    if (list.kind != TERN_VALUE_LIST || count > TERN_MAX_RANK) return false;
    out_shape->rank = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        out_shape->dim[i] = tern_value_as_int(tern_value_at(list, i));
    return true;
}
