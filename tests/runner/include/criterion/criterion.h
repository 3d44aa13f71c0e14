/*
 * criterion/criterion.h, the in-process form: the part of Criterion's interface that Tern's tests
 * use, for runs in which Criterion itself cannot serve (sanitizers, emulation, musl).
 *
 * Criterion runs each test in a child process; a sanitizer's report from there is lost, and
 * ThreadSanitizer does not start. Here every test runs in the one process, so that whatever a
 * sanitizer finds decides the exit status. A failed assertion leaves the test by longjmp.
 */
#ifndef TERN_TESTS_RUNNER_CRITERION_H
#define TERN_TESTS_RUNNER_CRITERION_H

#pragma GCC                                                                                        \
    system_header /* the macros below take optional arguments, which -Wpedantic dislikes   \
                           */

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct plain_options {
    int unused_; /* lets an empty option list be a legal initialiser */
    void (*init)(void);
    void (*fini)(void);
    const char *description;
    double timeout; /* of Criterion alone */
    bool disabled;
} plain_options;

typedef struct plain_test {
    const char *suite;
    const char *name; /* NULL: the entry holds the suite's own options */
    void (*body)(void);
    plain_options options;
    struct plain_test *next;
} plain_test;

void plain_register(plain_test *test);

/* Reports where a check does not hold. A fatal one does not return. */
void plain_check(bool holds, bool fatal, const char *file, int line, const char *expression,
                 const char *format, ...) __attribute__((format(printf, 6, 7)));
_Noreturn void plain_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
void plain_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define Test(Suite, Name, ...)                                                                     \
    static void Suite##_##Name##_body(void);                                                       \
    static plain_test Suite##_##Name##_entry = {                                                   \
        #Suite, #Name, Suite##_##Name##_body, {.unused_ = 0, __VA_ARGS__}, 0};                     \
    __attribute__((constructor)) static void Suite##_##Name##_register(void) {                     \
        plain_register(&Suite##_##Name##_entry);                                                   \
    }                                                                                              \
    static void Suite##_##Name##_body(void)

#define TestSuite(Suite, ...)                                                                      \
    static plain_test Suite##_suite_entry = {#Suite, 0, 0, {.unused_ = 0, __VA_ARGS__}, 0};        \
    __attribute__((constructor)) static void Suite##_suite_register(void) {                        \
        plain_register(&Suite##_suite_entry);                                                      \
    }                                                                                              \
    struct plain_test

#define PLAIN_CHECK(fatal, holds, text, ...)                                                       \
    plain_check((holds) ? true : false, fatal, __FILE__, __LINE__, text, "" __VA_ARGS__)
#define PLAIN_NEAR(a, b, eps) ((a) - (b) <= (eps) && (b) - (a) <= (eps))

#define cr_assert(c, ...)          PLAIN_CHECK(true, (c), #c, __VA_ARGS__)
#define cr_assert_not(c, ...)      PLAIN_CHECK(true, !(c), "!(" #c ")", __VA_ARGS__)
#define cr_assert_eq(a, b, ...)    PLAIN_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)   PLAIN_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)    PLAIN_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)   PLAIN_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)    PLAIN_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)   PLAIN_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(p, ...)     PLAIN_CHECK(true, (p) == NULL, #p " == NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...) PLAIN_CHECK(true, (p) != NULL, #p " != NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
    PLAIN_CHECK(true, strcmp((a), (b)) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...)                                                               \
    PLAIN_CHECK(true, strcmp((a), (b)) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) PLAIN_CHECK(true, (a)[0] == 0, #a " is empty", __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...)                                                             \
    PLAIN_CHECK(true, memcmp((a), (b), (n)) == 0, #a " equals " #b, __VA_ARGS__)
#define cr_assert_arr_neq(a, b, n, ...)                                                            \
    PLAIN_CHECK(true, memcmp((a), (b), (n)) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, eps, ...)                                                         \
    PLAIN_CHECK(true, PLAIN_NEAR(a, b, eps), #a " is near " #b, __VA_ARGS__)
#define cr_assert_float_neq(a, b, eps, ...)                                                        \
    PLAIN_CHECK(true, !PLAIN_NEAR(a, b, eps), #a " is not near " #b, __VA_ARGS__)
#define cr_assert_fail(...)     PLAIN_CHECK(true, false, "fail", __VA_ARGS__)
#define cr_fatal(...)           PLAIN_CHECK(true, false, "fail", __VA_ARGS__)
#define cr_fail(...)            PLAIN_CHECK(false, false, "fail", __VA_ARGS__)
#define cr_expect(c, ...)       PLAIN_CHECK(false, (c), #c, __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
    PLAIN_CHECK(false, strcmp((a), (b)) == 0, #a " equals " #b, __VA_ARGS__)

#define cr_skip_test(...) plain_skip("" __VA_ARGS__)
#define cr_skip(...)      plain_skip("" __VA_ARGS__)
#define cr_log_info(...)  plain_log("" __VA_ARGS__)
#define cr_log_warn(...)  plain_log("" __VA_ARGS__)
#define cr_log_error(...) plain_log("" __VA_ARGS__)

#endif
