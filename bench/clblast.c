/*
 * tern_clblast [--threads N] --only GROUP: CLBlast as a peer of bench/compare, on the first device that OpenCL has.
 *
 *     bench/compare --device opencl --peers-script build/release/bin/tern_clblast --only gemm
 *
 * Prints a line of JSON for each case of the groups gemm and conv that CLBlast has; of train_images, as if a step were
 * its products and convolutions alone; and of overhead, where the peer is a bare kernel of one group that does the
 * same. Timed as tools/bench/measure.c does. The driver decides how many threads it has, here and for Tern; N is only
 * repeated.
 */
#define _POSIX_C_SOURCE 200809L
#include <clblast_c.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double shortest = 0.01, budget = 1;
enum { MOST_RUNS = 1024, LEAST_RUNS = 5, MOST_PARTS = 16 };

typedef enum part_kind {
    NOTHING,
    PRODUCT,    /* a [m, k] times b [k, n] */
    PRODUCT_NT, /* the same with b as [n, k] */
    PRODUCT_TN, /* with a as [k, m] */
    CONVOLUTION, /* of a batch, keeping its size; its gradient to the input is one with the channels exchanged */
    WEIGHTS, /* the gradient to the weights of one: of each image, im2col and a product that adds up */
    BARE     /* a kernel that adds two numbers, enqueued with its arguments set */
} part_kind;

/* `size` is m, k and n of a product; or batch, channels in and out, height and width (the same) and kernel. */
typedef struct part {
    part_kind kind;
    int size[5];
} part;

/* What a call is, NOTHING behind its last part, and what its value counts: flops of all parts, or samples. */
typedef struct peer_case {
    const char *group, *name, *peer, *unit;
    double samples; /* 0: the unit is flops, or a time */
    const part *parts;
} peer_case;

/* A part's operands. */
typedef struct operands {
    cl_mem a, b, out, columns;
} operands;

typedef struct subject {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_kernel bare;
    operands operands[MOST_PARTS];
} subject;

static const part bare_parts[] = {{BARE, {1}}, {NOTHING, {0}}};

/* Three layers forward, the gradients to their weights, and to the inputs of all but the first. */
static const part mlp_parts[] = {
    {PRODUCT_NT, {64, 784, 256}}, {PRODUCT_NT, {64, 256, 128}}, {PRODUCT_NT, {64, 128, 10}},
    {PRODUCT_TN, {10, 64, 128}},  {PRODUCT, {64, 10, 128}},     {PRODUCT_TN, {128, 64, 256}},
    {PRODUCT, {64, 128, 256}},    {PRODUCT_TN, {256, 64, 784}}, {NOTHING, {0}},
};

/* The same of TinyVGG: four convolutions of c channels and the layer behind them. */
#define TINYVGG(name, c)                                                                           \
    static const part name[] = {                                                                   \
        {CONVOLUTION, {32, 1, c, 28, 3}},                                                          \
        {CONVOLUTION, {32, c, c, 28, 3}},                                                          \
        {CONVOLUTION, {32, c, c, 14, 3}},                                                          \
        {CONVOLUTION, {32, c, c, 14, 3}},                                                          \
        {PRODUCT_NT, {32, 49 * c, 10}},                                                            \
        {PRODUCT_TN, {10, 32, 49 * c}},                                                            \
        {PRODUCT, {32, 10, 49 * c}},                                                               \
        {WEIGHTS, {32, c, c, 14, 3}},                                                              \
        {CONVOLUTION, {32, c, c, 14, 3}},                                                          \
        {WEIGHTS, {32, c, c, 14, 3}},                                                              \
        {CONVOLUTION, {32, c, c, 14, 3}},                                                          \
        {WEIGHTS, {32, c, c, 28, 3}},                                                              \
        {CONVOLUTION, {32, c, c, 28, 3}},                                                          \
        {WEIGHTS, {32, 1, c, 28, 3}},                                                              \
        {NOTHING, {0}},                                                                            \
    }
TINYVGG(cnn_parts, 10);
TINYVGG(cnn64_parts, 64);

#define ONE(...) ((const part[]){{__VA_ARGS__}, {NOTHING, {0}}})
#define GEMM(name, kind, ...)                                                                      \
    { "gemm", name, "clblast", "GF/s", 0, ONE(kind, {__VA_ARGS__}) }
#define CONV(name, ...)                                                                            \
    { "conv", name, "clblast", "GF/s", 0, ONE(CONVOLUTION, {__VA_ARGS__}) }

static const peer_case cases[] = {
    {"overhead", "op_add_1", "bare kernel", "ns", 0, bare_parts},
    GEMM("gemm_32", PRODUCT, 32, 32, 32),
    GEMM("gemm_64", PRODUCT, 64, 64, 64),
    GEMM("gemm_128", PRODUCT, 128, 128, 128),
    GEMM("gemm_256", PRODUCT, 256, 256, 256),
    GEMM("gemm_512", PRODUCT, 512, 512, 512),
    GEMM("gemm_1024", PRODUCT, 1024, 1024, 1024),
    GEMM("gemm_2048", PRODUCT, 2048, 2048, 2048),
    GEMM("gemm_1x4096x4096_nt", PRODUCT_NT, 1, 4096, 4096),
    GEMM("gemm_8x1024x1024_nt", PRODUCT_NT, 8, 1024, 1024),
    GEMM("gemm_64x784x256_nt", PRODUCT_NT, 64, 784, 256),
    GEMM("gemm_32x128x10_nt", PRODUCT_NT, 32, 128, 10),
    GEMM("gemm_4096x64x64_nt", PRODUCT_NT, 4096, 64, 64),
    GEMM("gemm_64x64x4096_nt", PRODUCT_NT, 64, 64, 4096),
    GEMM("gemm_128x4096x128_nt", PRODUCT_NT, 128, 4096, 128),
    CONV("conv3x3_64_56", 1, 64, 64, 56, 3),
    CONV("conv1x1_256_14", 1, 256, 256, 14, 1),
    CONV("conv3x3_10_28_b32", 32, 10, 10, 28, 3),
    {"train_images", "mlp_train_b64", "clblast", "samples/s", 64, mlp_parts},
    {"train_images", "cnn_train_b32", "clblast", "samples/s", 32, cnn_parts},
    {"train_images", "cnn64_train_b32", "clblast", "samples/s", 32, cnn64_parts},
};

static void fail(const char *what, int code) {
    fprintf(stderr, "tern_clblast: %s gave %d\n", what, code);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* ---- operands -------------------------------------------------------------------------------- */

static cl_mem numbers(const subject *s, size_t count) {
    float *host = malloc(count * sizeof *host);
    cl_int code;
    if (!host) fail("malloc", 0);
    for (size_t i = 0; i < count; i++) host[i] = (float)rand() / (float)RAND_MAX;
    cl_mem memory = clCreateBuffer(s->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                                   count * sizeof *host, host, &code);
    free(host);
    if (!memory) fail("clCreateBuffer", code);
    return memory;
}

static operands prepare_part(subject *s, const part *p) {
    size_t n[5];
    for (int i = 0; i < 5; i++) n[i] = (size_t)p->size[i];
    size_t pixels = n[0] * n[3] * n[3], weights = n[1] * n[2] * n[4] * n[4];
    switch (p->kind) {
    case PRODUCT:
    case PRODUCT_NT:
    case PRODUCT_TN:
        return (operands){numbers(s, n[0] * n[1]), numbers(s, n[1] * n[2]), numbers(s, n[0] * n[2]),
                          NULL};
    case CONVOLUTION:
        return (operands){numbers(s, pixels * n[1]), numbers(s, weights), numbers(s, pixels * n[2]),
                          NULL};
    case WEIGHTS:
        return (operands){numbers(s, pixels * n[1]), numbers(s, pixels * n[2]), numbers(s, weights),
                          numbers(s, n[1] * n[4] * n[4] * n[3] * n[3])};
    default: break;
    }
    operands o = {numbers(s, n[0]), numbers(s, n[0]), numbers(s, n[0]), NULL};
    const cl_mem all[] = {o.a, o.b, o.out};
    for (cl_uint i = 0; i < 3; i++)
        if (clSetKernelArg(s->bare, i, sizeof all[i], &all[i])) fail("clSetKernelArg", (int)i);
    return o;
}

static void release(subject *s) {
    for (int i = 0; i < MOST_PARTS && s->operands[i].a; i++) {
        clReleaseMemObject(s->operands[i].a);
        clReleaseMemObject(s->operands[i].b);
        clReleaseMemObject(s->operands[i].out);
        if (s->operands[i].columns) clReleaseMemObject(s->operands[i].columns);
        s->operands[i] = (operands){0};
    }
}

/* ---- calls ----------------------------------------------------------------------------------- */

static CLBlastStatusCode product(subject *s, const part *p, const operands *o) {
    size_t m = (size_t)p->size[0], k = (size_t)p->size[1], n = (size_t)p->size[2];
    bool nt = p->kind == PRODUCT_NT, tn = p->kind == PRODUCT_TN;
    return CLBlastSgemm(CLBlastLayoutRowMajor, tn ? CLBlastTransposeYes : CLBlastTransposeNo,
                        nt ? CLBlastTransposeYes : CLBlastTransposeNo, m, n, k, 1, o->a, 0,
                        tn ? m : k, o->b, 0, nt ? k : n, 0, o->out, 0, n, &s->queue, NULL);
}

static CLBlastStatusCode convolution(subject *s, const part *p, const operands *o) {
    size_t batch = (size_t)p->size[0], in = (size_t)p->size[1], out = (size_t)p->size[2];
    size_t side = (size_t)p->size[3], taps = (size_t)p->size[4], padding = taps / 2;
    return CLBlastSconvgemm(CLBlastKernelModeCrossCorrelation, in, side, side, taps, taps, padding,
                            padding, 1, 1, 1, 1, out, batch, o->a, 0, o->b, 0, o->out, 0, &s->queue,
                            NULL);
}

/* Faster than the one convolution that sums up the batch, whose kernel would be as large as the image. */
static CLBlastStatusCode weights(subject *s, const part *p, const operands *o) {
    size_t batch = (size_t)p->size[0], in = (size_t)p->size[1], out = (size_t)p->size[2];
    size_t side = (size_t)p->size[3], taps = (size_t)p->size[4], padding = taps / 2;
    size_t rows = in * taps * taps, pixels = side * side;
    CLBlastStatusCode code = CLBlastSuccess;
    for (size_t i = 0; i < batch && code == CLBlastSuccess; i++) {
        code = CLBlastSim2col(CLBlastKernelModeCrossCorrelation, in, side, side, taps, taps,
                              padding, padding, 1, 1, 1, 1, o->a, i * in * pixels, o->columns, 0,
                              &s->queue, NULL);
        if (code == CLBlastSuccess)
            code = CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, out,
                                rows, pixels, 1, o->b, i * out * pixels, pixels, o->columns, 0,
                                pixels, i ? 1 : 0, o->out, 0, rows, &s->queue, NULL);
    }
    return code;
}

static void call_part(subject *s, const part *p, const operands *o) {
    size_t items[] = {64};
    CLBlastStatusCode code = CLBlastSuccess;
    switch (p->kind) {
    case PRODUCT:
    case PRODUCT_NT:
    case PRODUCT_TN: code = product(s, p, o); break;
    case CONVOLUTION: code = convolution(s, p, o); break;
    case WEIGHTS: code = weights(s, p, o); break;
    case BARE:
        code = (CLBlastStatusCode)clEnqueueNDRangeKernel(s->queue, s->bare, 1, NULL, items, items,
                                                         0, NULL, NULL);
        break;
    case NOTHING: break;
    }
    if (code != CLBlastSuccess) fail("a call", (int)code);
}

static double flops_of(const part *p) {
    const int *n = p->size;
    if (p->kind <= PRODUCT_TN) return 2.0 * n[0] * n[1] * n[2];
    return 2.0 * n[0] * n[1] * n[2] * n[3] * n[3] * n[4] * n[4];
}

/* ---- timing ---------------------------------------------------------------------------------- */

/* Seconds of one call when it is repeated `inner` times. */
static double timed(subject *s, const peer_case *c, int inner) {
    double start = now();
    for (int i = 0; i < inner; i++)
        for (int k = 0; c->parts[k].kind; k++) call_part(s, &c->parts[k], &s->operands[k]);
    clFinish(s->queue);
    return (now() - start) / inner;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double seconds(subject *s, const peer_case *c) {
    double runs[MOST_RUNS];
    int count = 0;
    timed(s, c, 1); /* compiles */
    timed(s, c, 1);
    double one = timed(s, c, 1), end = now() + budget;
    int inner = one < shortest ? (int)(shortest / (one > 1e-6 ? one : 1e-6)) : 1;
    while (count < MOST_RUNS && (count < LEAST_RUNS || now() < end))
        runs[count++] = timed(s, c, inner);
    qsort(runs, (size_t)count, sizeof runs[0], ascending);
    return runs[count / 2];
}

static void measure(subject *s, const peer_case *c, long threads) {
    double flops = 0;
    for (int k = 0; c->parts[k].kind; k++) {
        s->operands[k] = prepare_part(s, &c->parts[k]);
        flops += flops_of(&c->parts[k]);
    }
    double took = seconds(s, c);
    bool is_time = strcmp(c->unit, "ns") == 0;
    double value = is_time ? took * 1e9 : c->samples != 0 ? c->samples / took : flops / took * 1e-9;
    printf("{\"case\": \"%s\", \"peer\": \"%s\", \"threads\": %ld, \"value\": %.6g, "
           "\"unit\": \"%s\", \"better\": \"%s\"}\n",
           c->name, c->peer, threads, value, c->unit, is_time ? "less" : "more");
    fflush(stdout);
    release(s);
}

/* ---- the device ------------------------------------------------------------------------------ */

static const char *const bare_source =
    "__kernel __attribute__((reqd_work_group_size(64, 1, 1))) void add(__global const float *a,\n"
    "    __global const float *b, __global float *out) {\n"
    "    size_t i = get_global_id(0);\n"
    "    if (i < 1) out[i] = a[i] + b[i];\n"
    "}\n";

static void open_device(subject *s) {
    cl_platform_id platform;
    cl_int code = clGetPlatformIDs(1, &platform, NULL);
    if (code != CL_SUCCESS) fail("clGetPlatformIDs", code);
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &s->device, NULL);
    if (code != CL_SUCCESS) fail("clGetDeviceIDs", code);
    s->context = clCreateContext(NULL, 1, &s->device, NULL, NULL, &code);
    if (!s->context) fail("clCreateContext", code);
    s->queue = clCreateCommandQueue(s->context, s->device, 0, &code);
    if (!s->queue) fail("clCreateCommandQueue", code);
}

/* The kernel keeps its program. */
static void build_bare(subject *s) {
    cl_int code;
    const char *source = bare_source;
    cl_program program = clCreateProgramWithSource(s->context, 1, &source, NULL, &code);
    if (!program) fail("clCreateProgramWithSource", code);
    code = clBuildProgram(program, 1, &s->device, "", NULL, NULL);
    if (code != CL_SUCCESS) fail("clBuildProgram", code);
    s->bare = clCreateKernel(program, "add", &code);
    if (!s->bare) fail("clCreateKernel", code);
    clReleaseProgram(program);
}

int main(int argc, char **argv) {
    const char *only = "gemm";
    long threads = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--only") == 0) only = argv[i + 1];
        if (strcmp(argv[i], "--threads") == 0) threads = strtol(argv[i + 1], NULL, 10);
    }
    subject s = {0};
    open_device(&s);
    build_bare(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].group, only) == 0) measure(&s, &cases[i], threads);
    clReleaseKernel(s.bare);
    clReleaseCommandQueue(s.queue);
    clReleaseContext(s.context);
    return 0;
}
