/* Settings, counts and reports of the driver that stands in. */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "standin.h"

static atomic_long calls, kernels, objects, products, convolutions;

/* Behind the word or the NAME= of a setting; NULL where it is not set. */
static const char *find(const char *name, char end) {
    const char *all = getenv("TERN_CUDA_STANDIN");
    size_t length = strlen(name);
    for (const char *at = all; at && *at;) {
        at += strspn(at, " ");
        size_t word = strcspn(at, " ");
        if (word >= length && strncmp(at, name, length) == 0 &&
            (end ? at[length] == end : word == length))
            return at + length + (end != 0);
        at += word;
    }
    return NULL;
}

long long standin_number(const char *name, long long otherwise) {
    const char *at = find(name, '=');
    return at ? strtoll(at, NULL, 10) : otherwise;
}

bool standin_has(const char *word) {
    return find(word, 0) != NULL;
}

bool standin_is(const char *name, const char *value) {
    const char *at = find(name, '=');
    size_t length = strlen(value);
    return at && strncmp(at, value, length) == 0 && (at[length] == 0 || at[length] == ' ');
}

CUresult standin_report(const char *format, ...) {
    va_list arguments;
    char line[512];
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fprintf(stderr, "standin: %s\n", line);
    fflush(NULL);
    _exit(STANDIN_STATUS);
}

bool standin_call(void) {
    return atomic_fetch_add(&calls, 1) + 1 != standin_number("fail", 0);
}

static atomic_bool is_lost;

void standin_count_kernel(void) {
    if (atomic_fetch_add(&kernels, 1) + 1 == standin_number("lose", 0)) is_lost = true;
}

bool standin_loses(void) {
    return is_lost;
}

void standin_count_product(void) {
    atomic_fetch_add(&products, 1);
}

void standin_count_convolution(void) {
    atomic_fetch_add(&convolutions, 1);
}

void standin_made(int count) {
    atomic_fetch_add(&objects, count);
}

void standin_leave(void) {
    const char *path = getenv("TERN_CUDA_STANDIN_LOG");
    FILE *file = path ? fopen(path, "w") : NULL;
    long left = atomic_load(&objects);
    if (file) {
        fprintf(file, "calls %ld kernels %ld objects %ld products %ld convolutions %ld\n",
                atomic_load(&calls), atomic_load(&kernels), left, atomic_load(&products),
                atomic_load(&convolutions));
        fclose(file);
    }
    if (left) standin_report("%ld objects are left at the end", left);
}
