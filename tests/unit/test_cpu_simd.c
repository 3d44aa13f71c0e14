/*
 * cpu_simd on several threads: every family of kernels, forward and backward, in sizes that are cut into many
 * chunks, has the same bits on any number of threads, for two contexts at once and in a child.
 */
#define _GNU_SOURCE /* setenv */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tern/tern.h"

/* ---- what is computed ------------------------------------------------------------------------ */

/* FNV-1a over a tensor's bytes, eight at a time. */
static uint64_t add_tensor(uint64_t hash, tern_tensor *tensor) {
    size_t size = (size_t)tern_numel(tensor) * tern_dtype_size(tern_dtype_of(tensor));
    unsigned char *bytes = malloc(size);
    if (!bytes || tern_to_host(tensor, bytes, size) != TERN_OK) {
        free(bytes);
        return 0;
    }
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
    }
    free(bytes);
    return hash;
}

/* The results of an operation by its name: a tensor or a tuple of them. */
static uint64_t add_call(uint64_t hash, tern_ctx *ctx, const char *name,
                         const tern_value *arguments, int count) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_value result = tern_call(ctx, name, arguments, count, tern_none());
    if (result.kind == TERN_VALUE_TENSOR) {
        hash = add_tensor(hash, result.as.tensor);
    } else {
        for (size_t i = 0; i < tern_value_count(result); i++)
            hash = add_tensor(hash, tern_value_at(result, i).as.tensor);
    }
    tern_scope_end(scope);
    return hash;
}

/* Operations without gradients, one or more for each family that the model below does not launch. */
static uint64_t add_operations(uint64_t hash, tern_ctx *ctx) {
    tern_value x = tern_tensor_value(tern_randn(ctx, TERN_SHAPE(307, 1031), NULL));
    tern_value y = tern_tensor_value(tern_randn(ctx, TERN_SHAPE(307, 1031), NULL));
    tern_value rows = tern_tensor_value(tern_randint(ctx, 0, 307, TERN_SHAPE(2003), NULL));
    tern_value turned = tern_tensor_value(tern_transpose(x.as.tensor, 0, 1));
    tern_value zero = tern_int(0), one = tern_int(1);
    static const char *const unary[] = {"exp",    "tanh", "nn.functional.gelu",
                                        "sum",    "mean", "sort",
                                        "isnan",  "amax", "argmax",
                                        "std",    "prod", "square",
                                        "nonzero"};
    for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++) {
        hash = add_call(hash, ctx, unary[i], &x, 1);
        hash = add_call(hash, ctx, unary[i], &turned, 1);
    }
    static const char *const along[] = {"softmax", "log_softmax", "cumsum", "cummax", "sum",
                                        "var",     "norm",        "amax",   "argmin", "sort"};
    for (size_t i = 0; i < sizeof along / sizeof along[0]; i++) {
        bool second = along[i][0] == 'n'; /* norm(x, p, dim) */
        for (int64_t dim = 0; dim < 2; dim++) {
            tern_value at = tern_int(dim), two = tern_int(2);
            tern_value arguments[] = {x, second ? two : at, at};
            hash = add_call(hash, ctx, along[i], arguments, second ? 3 : 2);
        }
    }
    static const char *const binary[] = {"add", "mul", "maximum", "lt", "atan2"};
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++)
        hash = add_call(hash, ctx, binary[i], (tern_value[]){x, y}, 2);
    hash = add_call(hash, ctx, "matmul", (tern_value[]){x, turned}, 2);
    hash = add_call(hash, ctx, "matmul", (tern_value[]){turned, y}, 2);
    hash = add_call(hash, ctx, "contiguous", &turned, 1);
    hash = add_call(hash, ctx, "index_select", (tern_value[]){x, zero, rows}, 3);
    tern_value source = tern_tensor_value(tern_index_select(y.as.tensor, 0, rows.as.tensor));
    hash = add_call(hash, ctx, "index_add", (tern_value[]){x, zero, rows, source}, 4);
    tern_value positions = tern_call(ctx, "argsort", (tern_value[]){y, one}, 2, tern_none());
    hash = add_call(hash, ctx, "gather", (tern_value[]){x, one, positions}, 3);
    return add_call(hash, ctx, "scatter_add", (tern_value[]){x, one, positions, y}, 4);
}

static const char model_text[] =
    "Sequential(Conv2d(3, 16, 3, padding=1), BatchNorm2d(16), ReLU(), MaxPool2d(2),"
    " Conv2d(16, 32, 3, padding=1, groups=2), GELU(), AvgPool2d(2), Conv2d(32, 32, 1), Flatten(),"
    " Linear(2048, 96), Dropout(0.3), LayerNorm(96), SiLU(), Linear(96, 10))";

static uint64_t add_parameters(uint64_t hash, tern_module *model) {
    tern_value parameters = tern_module_parameters(model);
    for (size_t i = 0; i < tern_value_count(parameters); i++)
        hash = add_tensor(hash, tern_value_at(parameters, i).as.tensor);
    return hash;
}

static uint64_t add_training(uint64_t hash, tern_ctx *ctx, const char *optimizer) {
    tern_module *model = tern_nn(ctx, model_text);
    tern_optim *optim = tern_optim_new(model, optimizer);
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(24, 3, 32, 32), NULL);
    tern_tensor *target = tern_randint(ctx, 0, 10, TERN_SHAPE(24), NULL);
    tern_scope scope = tern_scope_begin(ctx, 0);
    tern_tensor *loss = tern_cross_entropy(tern_forward(model, x), target, TERN_MEAN);
    tern_backward(loss);
    tern_optim_step(optim);
    hash = add_tensor(hash, loss);
    tern_scope_end(scope);
    return add_parameters(hash, model);
}

/* Attention over 130 tokens, and a recurrent layer, each with its gradients. */
static uint64_t add_sequences(uint64_t hash, tern_ctx *ctx) {
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(130, 34, 16), NULL);
    tern_module *lstm = tern_nn(ctx, "LSTM(16, 24, bidirectional=True)");
    tern_value steps = tern_tensor_value(x);
    tern_value y = tern_value_at(tern_module_call(lstm, &steps, 1, tern_none()), 0);
    tern_tensor *heads =
        tern_transpose(tern_reshape(y.as.tensor, TERN_SHAPE(130, 34, 4, 12)), 0, 2);
    tern_value args[] = {tern_tensor_value(heads),
                         tern_tensor_value(heads),
                         tern_tensor_value(heads),
                         tern_none(),
                         tern_float(0),
                         tern_bool(true)};
    tern_value out =
        tern_call(ctx, "nn.functional.scaled_dot_product_attention", args, 6, tern_none());
    hash = add_tensor(hash, out.as.tensor);
    tern_backward(tern_mean(out.as.tensor));
    tern_value parameters = tern_module_parameters(lstm);
    for (size_t i = 0; i < tern_value_count(parameters); i++)
        hash = add_tensor(hash, tern_grad_of(tern_value_at(parameters, i).as.tensor));
    return hash;
}

/* All of it on a context of its own; 0 where an error was latched. */
static uint64_t compute(void) {
    tern_ctx *ctx = tern_open("cpu_simd");
    tern_manual_seed(ctx, 7);
    uint64_t hash = add_operations(UINT64_C(0xcbf29ce484222325), ctx);
    hash = add_training(hash, ctx, "AdamW(lr=0.01)");
    hash = add_training(hash, ctx, "SGD(lr=0.01, momentum=0.9)");
    hash = add_sequences(hash, ctx);
    if (tern_check(ctx) != TERN_OK) {
        fprintf(stderr, "%s\n", tern_error(ctx));
        hash = 0;
    }
    return tern_close(ctx) == TERN_OK ? hash : 0;
}

static uint64_t compute_on(const char *threads) {
    setenv("TERN_NUM_THREADS", threads, 1);
    return compute();
}

/* A machine without variants of its own has no cpu_simd. */
static bool there_is_none(void) {
    tern_ctx *ctx = tern_open("cpu_simd");
    bool none = tern_check(ctx) == TERN_ERR_NOT_FOUND;
    tern_close(ctx);
    return none;
}

static void forget_threads(void) {
    unsetenv("TERN_NUM_THREADS");
}

TestSuite(cpu_simd, .fini = forget_threads);

/* ---- threads --------------------------------------------------------------------------------- */

Test(cpu_simd, results_do_not_depend_on_the_number_of_threads) {
    if (there_is_none()) return;
    uint64_t alone = compute_on("1");
    cr_assert_neq(alone, 0);
    cr_assert_eq(compute_on("2"), alone, "on two threads");
    cr_assert_eq(compute_on("3"), alone, "on three threads");
}

static void *compute_in_thread(void *out_hash) {
    *(uint64_t *)out_hash = compute();
    return NULL;
}

Test(cpu_simd, two_contexts_compute_at_once) {
    if (there_is_none()) return;
    setenv("TERN_NUM_THREADS", "2", 1);
    uint64_t here = 0, there = 0;
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, compute_in_thread, &there), 0);
    compute_in_thread(&here);
    pthread_join(thread, NULL);
    cr_assert_neq(here, 0);
    cr_assert_eq(here, there);
}

Test(cpu_simd, a_child_after_fork_computes) {
    if (there_is_none()) return;
    uint64_t alone = compute_on("2");
    pid_t child = fork();
    if (child == 0) _exit(compute() == alone ? 0 : 1);
    int status = -1;
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    cr_assert_eq(compute(), alone, "and the parent goes on");
}
