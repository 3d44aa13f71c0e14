/*
 * allocations FOLDER [EPOCHS [STRIDE]]: the tutorial, once for every allocation in it, which fails.
 *
 * A run whose n-th allocation fails must end with one line of error and the exit status 1, or, where
 * the library can do without that memory, print exactly what the undisturbed run prints. A sanitizer
 * watches for leaks and for memory used wrongly. With 100 epochs this is the whole tutorial; the
 * default of 2 takes every path of it, since all epochs allocate alike. STRIDE tries every so many
 * allocations only. FOLDER receives the models and what the runs print.
 */
int tutorial_main(int argc, char **argv);
#define main tutorial_main /* the example itself, with fewer epochs */
#include "../../examples/linear_regression.c"
#undef main

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, TEXT_BYTES = 1 << 16 };

typedef struct outcome {
    int status;
    uint64_t calls;
    char printed[TEXT_BYTES], complained[TEXT_BYTES];
} outcome;

static outcome expected, seen; /* too large for a stack */

/* What main of the example does, for `epochs` and ten times as many. */
static int tutorial(const char *folder, int epochs) {
    char path_0[PATH_BYTES], path_1[PATH_BYTES];
    snprintf(path_0, sizeof path_0, "%s/model_0.pth", folder);
    snprintf(path_1, sizeof path_1, "%s/model_1.pth", folder);
    tern_ctx *ctx = tern_open(NULL);
    data d = make_data(ctx);
    run(ctx, &model_0_class, &d, epochs, 1, path_0);
    run(ctx, &model_1_class, &d, epochs * 10, 10, path_1);
    if (tern_check(ctx)) fprintf(stderr, "linear_regression: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}

static int open_or_quit(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0) return fd;
    perror(path);
    exit(2);
}

static void read_back(int fd, char text[TEXT_BYTES]) {
    ssize_t bytes = pread(fd, text, TEXT_BYTES - 1, 0);
    text[bytes < 0 ? 0 : bytes] = 0;
    close(fd);
}

/* Runs the tutorial with its nth allocation failing, 0 for none; stdout and stderr go to files. */
static void run_failing(const char *folder, int epochs, uint64_t nth, outcome *out) {
    char out_path[PATH_BYTES], err_path[PATH_BYTES];
    snprintf(out_path, sizeof out_path, "%s/stdout", folder);
    snprintf(err_path, sizeof err_path, "%s/stderr", folder);
    int out_fd = open_or_quit(out_path), err_fd = open_or_quit(err_path);
    fflush(stdout);
    int kept_out = dup(STDOUT_FILENO), kept_err = dup(STDERR_FILENO);
    dup2(out_fd, STDOUT_FILENO);
    dup2(err_fd, STDERR_FILENO);
    tern_fail_allocation(nth);
    out->status = tutorial(folder, epochs);
    out->calls = tern_fail_allocation(0);
    fflush(stdout);
    dup2(kept_out, STDOUT_FILENO);
    dup2(kept_err, STDERR_FILENO);
    close(kept_out);
    close(kept_err);
    read_back(out_fd, out->printed);
    read_back(err_fd, out->complained);
}

static bool is_one_line(const char *text) {
    const char *end = strchr(text, '\n');
    return end && end > text && !end[1];
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: allocations FOLDER [EPOCHS [STRIDE]]\n");
        return 2;
    }
    const char *folder = argv[1];
    int epochs = argc > 2 ? atoi(argv[2]) : 2;
    uint64_t stride = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    if (stride == 0 || (mkdir(folder, 0777) != 0 && errno != EEXIST)) {
        perror(folder);
        return 2;
    }
    run_failing(folder, epochs, 0, &expected); /* twice: what the first run sets up stays */
    run_failing(folder, epochs, 0, &expected);
    if (expected.status != 0 || *expected.complained) {
        fprintf(stderr, "the tutorial fails by itself: %s\n", expected.complained);
        return 1;
    }
    unsigned long long tried = 0, errors = 0, recovered = 0, wrong = 0;
    for (uint64_t nth = 1; nth <= expected.calls; nth += stride) {
        run_failing(folder, epochs, nth, &seen);
        tried++;
        if (seen.status == 1 && is_one_line(seen.complained))
            errors++;
        else if (seen.status == 0 && !*seen.complained && !strcmp(seen.printed, expected.printed))
            recovered++;
        else if (wrong++ < 10)
            fprintf(stderr, "allocation %llu: status %d, '%s'\n", (unsigned long long)nth,
                    seen.status, seen.complained);
    }
    printf("%llu of %llu allocations failed: %llu clean errors, %llu done without, %llu wrong\n",
           tried, (unsigned long long)expected.calls, errors, recovered, wrong);
    return wrong || !errors;
}
