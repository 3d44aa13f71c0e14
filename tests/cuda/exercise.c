/*
 * tern_cuda_exercise [PART]: work that meets every path of the device cuda: its results are those of cpu_ref. One
 * line for each part that is not as it should be.
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"
#include "tern/tern.h"

static int wrong;

static void check(bool good, const char *what, const char *detail) {
    if (good) return;
    printf("%s: %s\n", what, detail);
    wrong++;
}

static bool near(const float *a, const float *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-4f * (1 + fabsf(b[i])))) return false;
    return true;
}

/* ---- parts: each fills `out`, on whichever device -------------------------------------------- */

#define NUMBERS 128

typedef void (*part_fn)(tern_ctx *ctx, float *out);

static tern_tensor *model_loss(tern_module *model, tern_tensor *x, tern_tensor *y) {
    return tern_cross_entropy(tern_forward(model, x), y, TERN_MEAN);
}

/* Every batch comes from the host, which uses its memory again at once. */
static void train(tern_ctx *ctx, float *out) {
    float pixels[32 * 8];
    int64_t classes[32];
    tern_manual_seed(ctx, 1);
    tern_module *model = tern_nn(ctx, "Sequential(Linear(8, 16), ReLU(), Linear(16, 3))");
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.05)");
    for (int step = 0; step < 24; step++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        for (int i = 0; i < 32 * 8; i++) pixels[i] = (float)((i * 7 + step * 13) % 17) / 17;
        for (int i = 0; i < 32; i++) classes[i] = (i + step) % 3;
        tern_tensor *x = tern_from_data_async(ctx, pixels, TERN_SHAPE(32, 8), TERN_FLOAT32, NULL);
        tern_tensor *y = tern_from_data_async(ctx, classes, TERN_SHAPE(32), TERN_INT64, NULL);
        memset(pixels, 0x7f, sizeof pixels);
        memset(classes, 0x7f, sizeof classes);
        tern_optim_zero_grad(adam);
        tern_tensor *loss = model_loss(model, x, y);
        tern_backward(loss);
        tern_optim_step(adam);
        if (step % 3 == 0) out[step] = (float)tern_item(loss);
        tern_scope_end(scope);
    }
}

/* Steps from a replay, of a model from `features` to `classes`. */
static void replay_model(tern_ctx *ctx, int64_t seed, const char *text, int64_t batch,
                         int64_t features, int64_t classes, int steps, float *out) {
    tern_manual_seed(ctx, seed);
    tern_module *model = tern_nn(ctx, text);
    tern_optim *sgd = tern_optim_new(model, "SGD(lr=0.1, momentum=0.9)");
    tern_tensor *inputs[2], *loss = NULL;
    tern_replay *step = NULL;
    for (int i = 0; i < steps; i++) {
        inputs[0] = tern_rand(ctx, TERN_SHAPE(batch, features), NULL);
        inputs[1] = tern_randint(ctx, 0, classes, TERN_SHAPE(batch), NULL);
        if (i > 1) {
            tern_replay_run(step, inputs, 2);
            out[i] = (float)tern_item(tern_replay_output(step, 0));
            continue;
        }
        if (i == 1) tern_capture_begin(ctx, inputs, 2);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_optim_zero_grad(sgd);
        loss = model_loss(model, inputs[0], inputs[1]);
        tern_backward(loss);
        tern_optim_step(sgd);
        if (i == 1) step = tern_capture_end(ctx, &loss, 1);
        tern_scope_end(scope);
    }
}

/* The same steps from a replay. */
static void replay(tern_ctx *ctx, float *out) {
    replay_model(ctx, 2, "Sequential(Linear(8, 16), Tanh(), Linear(16, 3))", 16, 8, 3, 20, out);
}

/* Larger than what is staged, and read back in one piece. */
static void large(tern_ctx *ctx, float *out) {
    size_t count = (size_t)5 << 20;
    float *data = malloc(count * sizeof *data);
    for (size_t i = 0; data && i < count; i++) data[i] = (float)(i % 1024);
    tern_tensor *x = tern_from_data(ctx, data, TERN_SHAPE((int64_t)count), TERN_FLOAT32);
    if (data) memset(data, 0, count * sizeof *data);
    tern_to_host(x, data, count * sizeof *data);
    for (int i = 0; data && i < NUMBERS; i++) out[i] = data[(size_t)i * 38888];
    free(data);
}

/* Of the size of a stage, many of them before anybody waits, so that stages are used again while copies are under
 * way. */
static void stages(tern_ctx *ctx, float *out) {
    size_t count = (size_t)40 << 10;
    float *data = malloc(count * sizeof *data);
    tern_tensor *total = tern_zeros(ctx, TERN_SHAPE((int64_t)count), TERN_FLOAT32);
    for (int round = 0; data && round < 12; round++) {
        for (size_t i = 0; i < count; i++) data[i] = (float)(round * round + 1);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_add_in_place(total,
                          tern_from_data(ctx, data, TERN_SHAPE((int64_t)count), TERN_FLOAT32));
        memset(data, 0, count * sizeof *data);
        tern_scope_end(scope);
    }
    out[0] = (float)tern_item(tern_mean(total));
    free(data);
}

/* The same beside the kernels, in storage that is used again while they run. */
static void uploads(tern_ctx *ctx, float *out) {
    enum { COUNT = 3000 };
    float data[COUNT];
    tern_tensor *total = tern_zeros(ctx, TERN_SHAPE(COUNT), TERN_FLOAT32);
    for (int round = 0; round < 24; round++) {
        for (int i = 0; i < COUNT; i++) data[i] = (float)(round * round + i);
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *x = tern_from_data_async(ctx, data, TERN_SHAPE(COUNT), TERN_FLOAT32, NULL);
        tern_add_in_place(total, tern_mul_scalar(x, 1 + round));
        memset(data, 0, sizeof data);
        tern_scope_end(scope);
    }
    out[0] = (float)tern_item(tern_mean(total));
}

/* Launches with memory of their own, several sizes of it, one behind the other. */
static void scratch(tern_ctx *ctx, float *out) {
    for (int i = 0; i < 6; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *x = tern_sin(tern_arange(ctx, 0, 200 + 400 * (i % 3), 1));
        tern_tensor *places = NULL, *sorted = tern_sort(x, 0, false, &places);
        tern_tensor *y = tern_gather(x, 0, places);
        out[2 * i] = (float)tern_item(tern_sum(tern_abs(tern_sub(sorted, y))));
        out[2 * i + 1] = (float)tern_item(tern_select(sorted, 0, 17));
        tern_scope_end(scope);
    }
}

/* Reads of all sizes that are still to come when the host asks for more. */
static void reads(tern_ctx *ctx, float *out) {
    tern_tensor *x = tern_arange(ctx, 0, 3000, 1);
    float got[3000];
    for (int i = 0; i < 20; i++) {
        tern_tensor *slice = tern_narrow(x, 0, 10 * i, 1 + 97 * i);
        tern_to_host(tern_contiguous(slice), got, (size_t)(1 + 97 * i) * sizeof *got);
        out[i] = got[97 * i];
        out[20 + i] = (float)tern_item(tern_select(x, 0, i));
    }
}

/* Tensors that come and go, in memory that has room for few of them: what was freed is still being used. */
static void pressure(tern_ctx *ctx, float *out) {
    tern_tensor *total = tern_zeros(ctx, TERN_SHAPE(1), TERN_FLOAT32);
    for (int i = 0; i < 12; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *x = tern_full(ctx, TERN_SHAPE(((int64_t)1 + i % 5) << 18), i, TERN_FLOAT32);
        tern_add_in_place(total, tern_mean(tern_add_scalar(tern_mul(x, x), 1)));
        tern_scope_end(scope);
        tern_empty_cache(ctx);
    }
    out[0] = (float)tern_item(total);
}

/* A kernel's error is told once, and the device goes on. */
static void bad_index(tern_ctx *ctx, float *out) {
    const int64_t rows[] = {1, 7};
    for (int i = 0; i < 3; i++) {
        tern_tensor *index = tern_from_data(ctx, rows, TERN_SHAPE(2 - i % 2), TERN_INT64);
        tern_tensor *x =
            tern_index_select(tern_ones(ctx, TERN_SHAPE(3, 2), TERN_FLOAT32), 0, index);
        tern_synchronize(ctx);
        out[i] = tern_check(ctx) == TERN_OK ? (float)tern_item(tern_sum(x)) : -1;
        tern_error_clear(ctx);
    }
}

/* Waves, so that no two places of a matrix have the same. */
static tern_tensor *waves(tern_ctx *ctx, tern_shape shape, double pace) {
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    return tern_reshape(tern_sin(tern_mul_scalar(tern_arange(ctx, 0, (double)count, 1), pace)),
                        shape);
}

/* A result as two numbers: one that every place adds to in its own way, and the last. */
static void sample(tern_tensor *x, float **out) {
    tern_tensor *line = tern_to_dtype(tern_reshape(x, TERN_SHAPE(-1)), TERN_FLOAT32);
    int64_t count = tern_numel(line);
    tern_tensor *weights = waves(tern_context_of(x), TERN_SHAPE(count), 0.7);
    *(*out)++ = (float)tern_item(tern_mean(tern_mul(line, weights))) * 100;
    *(*out)++ = (float)tern_item(tern_select(line, 0, count - 1));
}

/* Products that are large enough for cuBLASLt, in every layout. */
static void products(tern_ctx *ctx, float *out) {
    tern_tensor *a = waves(ctx, TERN_SHAPE(136, 128), 0.3),
                *b = waves(ctx, TERN_SHAPE(128, 140), 0.2);
    tern_tensor *at = waves(ctx, TERN_SHAPE(128, 136), 0.3),
                *bt = waves(ctx, TERN_SHAPE(140, 128), 0.2);
    tern_tensor *bias = waves(ctx, TERN_SHAPE(140), 1), *c = waves(ctx, TERN_SHAPE(136, 140), 0.1);
    sample(tern_matmul(a, b), &out);
    sample(tern_matmul(tern_transpose(at, 0, 1), b), &out);
    sample(tern_matmul(a, tern_transpose(bt, 0, 1)), &out);
    sample(tern_matmul(tern_transpose(at, 0, 1), tern_transpose(bt, 0, 1)), &out);
    sample(tern_linear(a, bt, bias), &out);
    sample(tern_addmm(c, a, b), &out);
    sample(tern_relu(tern_linear(a, bt, bias)), &out);
    sample(tern_matmul(waves(ctx, TERN_SHAPE(3, 96, 100), 0.3),
                       waves(ctx, TERN_SHAPE(3, 100, 104), 0.2)),
           &out);
    sample(tern_matmul(waves(ctx, TERN_SHAPE(5, 40, 128), 0.3), b), &out);
    sample(tern_baddbmm(waves(ctx, TERN_SHAPE(3, 96, 104), 0.1),
                        waves(ctx, TERN_SHAPE(3, 96, 100), 0.3),
                        waves(ctx, TERN_SHAPE(3, 100, 104), 0.2), 0.5, 2),
           &out);
    /* heads of attention, between the steps of a sequence */
    tern_tensor *heads =
        tern_permute(waves(ctx, TERN_SHAPE(2, 96, 3, 64), 0.3), TERN_SHAPE(0, 2, 1, 3));
    sample(tern_matmul(heads, tern_transpose(heads, 2, 3)), &out);
    /* what begins between two aligned places, and what ends there */
    sample(tern_matmul(tern_narrow(a, 1, 1, 127), tern_narrow(b, 0, 1, 127)), &out);
    sample(tern_matmul(tern_narrow(a, 1, 0, 127), tern_narrow(b, 0, 0, 127)), &out);
    sample(tern_matmul(tern_narrow(a, 1, 16, 112), tern_narrow(b, 0, 16, 112)), &out);
    sample(tern_matmul(tern_to_dtype(a, TERN_FLOAT64), tern_to_dtype(b, TERN_FLOAT64)), &out);
    sample(tern_linear(tern_to_dtype(a, TERN_FLOAT16), tern_to_dtype(bt, TERN_FLOAT16),
                       tern_to_dtype(bias, TERN_FLOAT16)),
           &out);
    sample(tern_matmul(tern_to_dtype(a, TERN_BFLOAT16), tern_to_dtype(b, TERN_BFLOAT16)), &out);
    for (int i = 0; i < 3; i++) { /* one plan, other places */
        tern_scope scope = tern_scope_begin(ctx, 0);
        sample(tern_linear(tern_mul_scalar(a, i + 1), tern_mul_scalar(bt, 2),
                           tern_add_scalar(bias, i)),
               &out);
        tern_scope_end(scope);
    }
}

/* Training whose products are cuBLASLt's, between kernels that a replay starts as a graph. */
static void replay_products(tern_ctx *ctx, float *out) {
    replay_model(ctx, 3, "Sequential(Linear(128, 128), ReLU(), Linear(128, 136))", 128, 128, 136, 5,
                 out);
}

/* A convolution of waves, and its gradients. */
typedef struct conv {
    tern_shape x, w, stride, padding, dilation;
    int64_t groups;
    tern_dtype dtype;
    bool has_bias, is_transposed;
} conv;

static void convolve(tern_ctx *ctx, const conv *c, float **out) {
    tern_scope scope = tern_scope_begin(ctx, 0);
    int64_t channels = c->is_transposed ? c->w.dim[1] * c->groups : c->w.dim[0];
    tern_tensor *x = tern_to_dtype(waves(ctx, c->x, 0.3), c->dtype);
    tern_tensor *w = tern_to_dtype(waves(ctx, c->w, 0.2), c->dtype);
    tern_tensor *bias = tern_to_dtype(waves(ctx, TERN_SHAPE(channels), 1), c->dtype);
    tern_requires_grad(x, true);
    tern_requires_grad(w, true);
    tern_tensor *y = tern_convolution(x, w, c->has_bias ? bias : NULL, c->stride, c->padding,
                                      c->dilation, c->is_transposed, TERN_SHAPE(0), c->groups);
    int64_t count = tern_numel(y);
    tern_tensor *line = tern_reshape(y, TERN_SHAPE(-1));
    tern_tensor *weights = tern_to_dtype(waves(ctx, TERN_SHAPE(count), 0.4), c->dtype);
    tern_backward(tern_sum(tern_mul(line, weights)));
    sample(tern_detach(y), out);
    sample(tern_grad_of(x), out);
    sample(tern_grad_of(w), out);
    tern_scope_end(scope);
}

static const conv convolutions_small[] = {
    {.x = {4, {2, 3, 9, 8}}, .w = {4, {4, 3, 3, 3}}, .padding = {1, {1}}, .has_bias = true},
    {.x = {4, {1, 4, 11, 13}}, .w = {4, {6, 2, 3, 2}}, .stride = {2, {2, 3}}, .groups = 2},
    {.x = {4, {2, 2, 12, 12}},
     .w = {4, {4, 2, 3, 3}},
     .padding = {2, {2, 0}},
     .dilation = {2, {1, 2}},
     .has_bias = true},
    {.x = {3, {2, 4, 17}}, .w = {3, {3, 4, 5}}, .stride = {1, {2}}, .padding = {1, {2}}},
    {.x = {5, {1, 2, 5, 6, 7}}, .w = {5, {4, 2, 2, 3, 3}}, .padding = {1, {1}}, .has_bias = true},
    {.x = {4, {2, 4, 5, 6}},
     .w = {4, {4, 3, 3, 3}},
     .stride = {1, {2}},
     .padding = {1, {1}},
     .has_bias = true,
     .is_transposed = true},
    {.x = {3, {2, 4, 9}}, .w = {3, {4, 2, 4}}, .is_transposed = true, .groups = 2},
    {.x = {4, {2, 3, 9, 8}}, .w = {4, {4, 3, 3, 3}}, .dtype = TERN_FLOAT64, .has_bias = true},
    {.x = {4, {2, 3, 9, 8}}, .w = {4, {4, 3, 3, 3}}, .dtype = TERN_FLOAT16, .has_bias = true},
    {.x = {4, {2, 3, 9, 8}}, .w = {4, {4, 3, 3, 3}}, .dtype = TERN_BFLOAT16, .has_bias = true},
};

/* By cuDNN, in each number of dimensions and each dtype. */
static void convolutions(tern_ctx *ctx, float *out) {
    for (size_t i = 0; i < sizeof convolutions_small / sizeof *convolutions_small; i++) {
        conv c = convolutions_small[i];
        if (!c.stride.rank) c.stride = TERN_SHAPE(1);
        if (!c.padding.rank) c.padding = TERN_SHAPE(0);
        if (!c.dilation.rank) c.dilation = TERN_SHAPE(1);
        if (!c.groups) c.groups = 1;
        if (!c.dtype) c.dtype = TERN_FLOAT32;
        convolve(ctx, &c, &out);
    }
    tern_tensor *x = waves(ctx, TERN_SHAPE(2, 5, 9, 7), 0.3),
                *w = waves(ctx, TERN_SHAPE(4, 4, 3, 3), 1);
    tern_tensor *bias = waves(ctx, TERN_SHAPE(4), 1);
    /* what begins between two aligned places, what is not contiguous, and what a formula is behind */
    sample(tern_conv2d(tern_narrow(tern_narrow(x, 0, 1, 1), 1, 1, 4), w, bias, 1, 1), &out);
    sample(tern_conv2d(tern_narrow(x, 1, 0, 4), w, bias, 1, 1), &out);
    sample(tern_convolution_map(tern_contiguous(tern_narrow(x, 1, 0, 4)), w, bias, "relu(x)",
                                TERN_SHAPE(1), TERN_SHAPE(1), TERN_SHAPE(1), 1),
           &out);
}

/* Large enough for cuDNN without being asked for it, and smaller than that; one plan, other places. */
static void large_convolutions(tern_ctx *ctx, float *out) {
    tern_tensor *w = waves(ctx, TERN_SHAPE(32, 32, 3, 3), 0.2);
    for (int i = 0; i < 2; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *x = waves(ctx, TERN_SHAPE(2, 32, 32, 32), 0.3 + i);
        sample(tern_conv2d(tern_mul_scalar(x, 2), tern_mul_scalar(w, i), NULL, 1, 1), &out);
        tern_scope_end(scope);
    }
    sample(tern_conv2d(waves(ctx, TERN_SHAPE(1, 32, 30, 30), 0.3), w, NULL, 1, 1), &out);
}

/* Training whose convolutions are cuDNN's, between kernels that a replay starts as a graph. */
static void replay_convolutions(tern_ctx *ctx, float *out) {
    replay_model(ctx, 3,
                 "Sequential(Unflatten(1, [1, 8, 8]), Conv2d(1, 4, 3, padding=1), ReLU(), "
                 "Conv2d(4, 4, 3), ReLU(), Flatten(), Linear(144, 10))",
                 8, 64, 10, 5, out);
}

static const struct row {
    const char *name;
    part_fn run;
    const char *libraries; /* TERN_CUDA_LIBRARIES, where it is not set; NULL: as it is */
} parts[] = {{"train", train, NULL},
             {"replay", replay, NULL},
             {"large", large, NULL},
             {"stages", stages, NULL},
             {"uploads", uploads, NULL},
             {"scratch", scratch, NULL},
             {"reads", reads, NULL},
             {"pressure", pressure, NULL},
             {"bad_index", bad_index, NULL},
             {"products", products, NULL},
             {"replay_products", replay_products, NULL},
             {"convolutions", convolutions, "always"},
             {"large_convolutions", large_convolutions, NULL},
             {"replay_convolutions", replay_convolutions, "always"}};

static bool run(const char *device, const struct row *row, float *out, char *reason, size_t size) {
    bool sets = row->libraries && !getenv("TERN_CUDA_LIBRARIES");
    if (sets) setenv("TERN_CUDA_LIBRARIES", row->libraries, 1);
    tern_ctx *ctx = tern_open(device);
    if (sets) unsetenv("TERN_CUDA_LIBRARIES");
    memset(out, 0, NUMBERS * sizeof *out);
    if (tern_check(ctx) == TERN_OK) row->run(ctx, out);
    bool worked = tern_check(ctx) == TERN_OK;
    snprintf(reason, size, "%s", worked ? "other numbers than cpu_ref's" : tern_error(ctx));
    if (tern_close(ctx) == TERN_OK) return worked;
    if (worked) snprintf(reason, size, "closing %s failed", device);
    return false;
}

static void compare(const struct row *row) {
    float own[NUMBERS], theirs[NUMBERS];
    char reason[512];
    bool worked = run("cpu_ref", row, theirs, reason, sizeof reason) &&
                  run("cuda", row, own, reason, sizeof reason);
    check(worked && near(own, theirs, NUMBERS), row->name, reason);
}

/* ---- more than one device, thread or user ---------------------------------------------------- */

/* From one GPU to the other and back, with kernels on both sides of each copy. */
static void between(void) {
    tern_ctx *ctx = tern_open("cuda:0");
    tern_device_open(ctx, "cuda:1");
    for (int i = 0; i < 8; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *x = tern_full(ctx, TERN_SHAPE(20000), i, TERN_FLOAT32);
        tern_tensor *y = tern_add_scalar(tern_to_device(tern_mul_scalar(x, 3), "cuda:1"), 1);
        tern_tensor *z = tern_to_device(tern_mul(y, y), "cuda:0");
        tern_add_in_place(x, z);
        double wanted = i + (3.0 * i + 1) * (3.0 * i + 1);
        check(tern_item(tern_mean(x)) == wanted, "between", "other numbers than the host's");
        tern_scope_end(scope);
    }
    check(tern_check(ctx) == TERN_OK, "between", tern_error(ctx));
    tern_close(ctx);
}

enum { THREADS = 3 };

typedef struct worker {
    const struct row *row;
    float out[NUMBERS];
    bool worked;
} worker;

static void *work(void *argument) {
    worker *own = argument;
    char reason[512];
    own->worked = run("cuda", own->row, own->out, reason, sizeof reason);
    return NULL;
}

static const struct row *row_of(const char *name) {
    size_t i = 0;
    while (strcmp(parts[i].name, name) != 0) i++;
    return &parts[i];
}

/* A part in several threads, each with a context of its own. */
static void threads(const char *part) {
    pthread_t all[THREADS];
    worker of[THREADS];
    for (int i = 0; i < THREADS; i++) {
        of[i].row = row_of(part);
        pthread_create(&all[i], NULL, work, &of[i]);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(all[i], NULL);
    for (int i = 0; i < THREADS; i++)
        check(of[i].worked && memcmp(of[i].out, of[0].out, sizeof of[0].out) == 0, "threads",
              "other numbers than the first thread's");
}

/* Whoever else uses the GPU in the process finds their context as it was. */
static void foreign(void) {
    void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    CUresult (*push)(CUcontext), (*pop)(CUcontext *), (*retain)(CUcontext *, CUdevice);
    CUresult (*release)(CUdevice);
    CUcontext own = NULL, found = NULL;
    char reason[512];
    float out[NUMBERS];
    if (!library) return;
    *(void **)&push = dlsym(library, "cuCtxPushCurrent_v2");
    *(void **)&pop = dlsym(library, "cuCtxPopCurrent_v2");
    *(void **)&retain = dlsym(library, "cuDevicePrimaryCtxRetain");
    *(void **)&release = dlsym(library, "cuDevicePrimaryCtxRelease_v2");
    tern_ctx *ctx = tern_open("cuda"); /* which starts the driver */
    retain(&own, 1);
    push(own);
    bool worked = run("cuda", &parts[0], out, reason, sizeof reason);
    check(worked, "foreign", reason);
    check(pop(&found) == CUDA_SUCCESS && found == own, "foreign", "another context is current");
    release(1);
    tern_close(ctx);
}

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!only || strcmp(only, parts[i].name) == 0) compare(&parts[i]);
    if (!only || strcmp(only, "between") == 0) between();
    if (!only || strcmp(only, "threads") == 0) threads("train");
    if (!only || strcmp(only, "threads_convolutions") == 0) {
        setenv("TERN_CUDA_LIBRARIES", "always", 1);
        threads("replay_convolutions");
        unsetenv("TERN_CUDA_LIBRARIES");
    }
    if (!only || strcmp(only, "foreign") == 0) foreign();
    return wrong != 0;
}
