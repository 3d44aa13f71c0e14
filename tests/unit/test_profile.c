/* The profiler: what it writes, and that it changes nothing. */
#define _POSIX_C_SOURCE 200809L /* mkdtemp */
#include "nn_fixture.h"
#include "tern/profile.h"
#include "tern/replay.h"
#include "test_plugins.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder_path[64], trace[96], tables[96];

static void begin(void) {
    find_test_plugins();
    strcpy(folder_path, "/tmp/tern-profile-XXXXXX");
    cr_assert_not_null(mkdtemp(folder_path));
    snprintf(trace, sizeof trace, "%s/t.json", folder_path);
    snprintf(tables, sizeof tables, "%s/t.txt", folder_path);
}

static void end(void) {
    close_context();
    tern_profile_end(NULL);
    unlink(trace);
    unlink(tables);
    rmdir(folder_path);
    forget_test_plugins();
}

TestSuite(profile, .init = begin, .fini = end);

static char text[1 << 20];

static const char *read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f, "%s", path);
    size_t size = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[size] = '\0';
    return text;
}

/* The line of the table of modules and operations that begins with the numbers and ends so. */
static const char *line_with(const char *all, const char *module, const char *operation) {
    static char line[512];
    for (const char *at = all; *at; at = strchr(at, '\n') + 1) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(length < 500 ? length : 500), at);
        const char *first = strstr(line, module);
        if (first && strstr(first, operation)) return line;
        if (!at[length]) break;
    }
    return NULL;
}

/* One training step; what the loss was. */
static double step_on(const char *device) {
    ctx = tern_open(device);
    tern_manual_seed(ctx, 1);
    tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 4), Tanh(), Linear(4, 1))");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(5, 3), NULL);
    tern_tensor *loss = tern_mean(tern_square(tern_forward(m, x)));
    tern_backward(loss);
    double value = tern_item(loss);
    CHECK_CLEAN();
    return value;
}

static void check_profile(const char *device) {
    double before = step_on(device);
    close_context();
    cr_assert_eq(tern_profile_begin(trace), TERN_OK);
    cr_assert_eq(tern_profile_begin(trace), TERN_ERR_STATE);
    double profiled = step_on(device);
    cr_assert_eq(tern_profile_end(ctx), TERN_OK, "%s", tern_error(ctx));
    cr_assert_eq(before, profiled);

    const char *table = read_file(tables);
    cr_assert_not_null(line_with(table, "0 (Linear)", "matmul"), "%s", table);
    cr_assert_not_null(line_with(table, "2 (Linear)", "matmul"), "%s", table);
    const char *tanh_line = line_with(table, "1 (Tanh)", "tanh");
    cr_assert_not_null(tanh_line, "%s", table);
    /* Its forward and its backward pass: the gradient is another operation in the same module. */
    double ms, forward, backward;
    cr_assert_eq(sscanf(tanh_line, "%lf %*f%% %lf %lf", &ms, &forward, &backward), 3);
    cr_assert(forward == ms && backward == 0, "%s", tanh_line);
    bool found = false;
    for (const char *at = table; (at = strstr(at, "1 (Tanh)")); at++) {
        const char *line = at;
        while (line > table && line[-1] != '\n') line--;
        if (sscanf(line, "%lf %*f%% %lf %lf", &ms, &forward, &backward) == 3)
            found = found || backward > 0;
    }
    cr_assert(found, "%s", table);
    /* The products of a gradient are those of a Linear, not of the module behind it. */
    cr_assert_null(line_with(table, "1 (Tanh)", "matmul"), "%s", table);

    const char *json = read_file(trace);
    cr_assert_not_null(strstr(json, "\"traceEvents\":["));
    cr_assert_not_null(strstr(json, "\"module\":\"0 (Linear)\",\"operands\":\"float32 [5, 3], "));
    cr_assert_not_null(strstr(json, "\"name\":\"memory of "));
}

Test(profile, steps_are_told_by_module_and_operation) {
    check_profile("cpu_ref");
}

Test(profile, a_device_with_queues_is_waited_for) {
    check_profile("delaying");
    cr_assert_not_null(strstr(read_file(tables), "each launch was waited for"));
}

Test(profile, a_file_that_cannot_be_written_is_an_error) {
    cr_assert_eq(tern_profile_begin(NULL), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_profile_begin(""), TERN_ERR_ARGUMENT);
    cr_assert_eq(tern_profile_begin("/nonexistent/t.json"), TERN_OK);
    step_on("cpu_ref");
    cr_assert_eq(tern_profile_end(ctx), TERN_ERR_IO);
    CHECK_ERROR(
        "tern_profile_end: /nonexistent/t.json cannot be written: No such file or directory");
    cr_assert_eq(tern_profile_end(ctx), TERN_OK);
}

/* What is open when a profile ends goes on, and is profiled again by the next one. */
Test(profile, devices_outlive_a_profile) {
    tern_profile_begin(trace);
    step_on("delaying");
    cr_assert_eq(tern_profile_end(ctx), TERN_OK);
    tern_tensor *x = tern_ones(ctx, TERN_SHAPE(3), TERN_FLOAT32);
    cr_assert_eq(tern_item(tern_sum(tern_exp(x))) > 8, true);
    tern_profile_begin(trace);
    tern_item(tern_sum(tern_exp(x)));
    cr_assert_eq(tern_profile_end(ctx), TERN_OK);
    cr_assert_not_null(line_with(read_file(tables), "(outside of modules)", "unary exp"));
    CHECK_CLEAN();
}

/* How many launches the table counts for a module and an operation. */
static int calls_of(const char *module, const char *operation) {
    const char *line = line_with(read_file(tables), module, operation);
    int calls = 0;
    cr_assert_not_null(line, "%s, %s: %s", module, operation, text);
    cr_assert_eq(sscanf(line, "%*f %*f%% %*f %*f %d", &calls), 1, "%s", line);
    return calls;
}

/* A body that is captured in one profile, and replayed in it or in the next one. */
static void replay_in(bool next, int runs) {
    tern_profile_begin(trace);
    ctx = tern_open("cpu_ref");
    tern_module *m = tern_nn(ctx, "Sequential(Linear(3, 4), Softmax(1), Linear(4, 1))");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(5, 3), NULL);
    tern_capture_begin(ctx, &x, 1);
    tern_module_zero_grad(m);
    tern_tensor *loss = tern_mean(tern_square(tern_forward(m, x)));
    tern_backward(loss);
    tern_replay *replay = tern_capture_end(ctx, &loss, 1);
    if (next) cr_assert_eq(tern_profile_end(ctx), TERN_OK);
    if (next) tern_profile_begin(trace);
    for (int i = 0; i < runs; i++) tern_replay_run(replay, &x, 1);
    CHECK_CLEAN();
    cr_assert_eq(tern_profile_end(ctx), TERN_OK);
}

Test(profile, launches_of_a_replay_are_those_of_the_modules) {
    replay_in(false, 0);
    int products = calls_of("2 (Linear)", "matmul"), softmax = calls_of("1 (Softmax)", "softmax");
    close_context();
    replay_in(false, 4);
    cr_assert_eq(calls_of("2 (Linear)", "matmul"), 5 * products, "%s", text);
    cr_assert_eq(calls_of("1 (Softmax)", "softmax"), 5 * softmax, "%s", text);
    close_context();
    replay_in(true, 4); /* of which the other profile has the modules */
    cr_assert_null(line_with(read_file(tables), "(Linear)", "matmul"), "%s", text);
}
