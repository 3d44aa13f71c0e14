/*
 * tern_clblast [--threads N] --only GROUP: CLBlast as a peer of bench/compare, on the first device that OpenCL has.
 *
 *     bench/compare --device opencl --peers-script build/release/bin/tern_clblast --only gemm
 *
 * Prints a line of JSON for each case of the groups gemm and conv that CLBlast has, timed as tools/bench/measure.c
 * does. The driver decides how many threads it has, here and for Tern; N is only repeated.
 */
#define _POSIX_C_SOURCE 200809L
#include <clblast_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double shortest = 0.01, budget = 1;
enum { MOST_RUNS = 1024, LEAST_RUNS = 5 };

typedef struct subject {
    cl_context context;
    cl_command_queue queue;
    cl_mem a, b, out;
    const int *size;
} subject;

/* A case: rows, inner and columns of a product, `transposed` where b is [columns, inner]; or batch, channels in and
 * out, height and width (the same) and kernel of a convolution that keeps the size. */
typedef struct peer_case {
    const char *group, *name;
    int size[5], transposed;
} peer_case;

static const peer_case cases[] = {
    {"gemm", "gemm_32", {32, 32, 32}, 0},
    {"gemm", "gemm_64", {64, 64, 64}, 0},
    {"gemm", "gemm_128", {128, 128, 128}, 0},
    {"gemm", "gemm_256", {256, 256, 256}, 0},
    {"gemm", "gemm_512", {512, 512, 512}, 0},
    {"gemm", "gemm_1024", {1024, 1024, 1024}, 0},
    {"gemm", "gemm_2048", {2048, 2048, 2048}, 0},
    {"gemm", "gemm_1x4096x4096_nt", {1, 4096, 4096}, 1},
    {"gemm", "gemm_8x1024x1024_nt", {8, 1024, 1024}, 1},
    {"gemm", "gemm_64x784x256_nt", {64, 784, 256}, 1},
    {"gemm", "gemm_32x128x10_nt", {32, 128, 10}, 1},
    {"gemm", "gemm_4096x64x64_nt", {4096, 64, 64}, 1},
    {"gemm", "gemm_64x64x4096_nt", {64, 64, 4096}, 1},
    {"gemm", "gemm_128x4096x128_nt", {128, 4096, 128}, 1},
    {"conv", "conv3x3_64_56", {1, 64, 64, 56, 3}, 0},
    {"conv", "conv1x1_256_14", {1, 256, 256, 14, 1}, 0},
    {"conv", "conv3x3_10_28_b32", {32, 10, 10, 28, 3}, 0},
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

static void prepare(subject *s, const peer_case *c) {
    const int *n = s->size = c->size;
    if (strcmp(c->group, "gemm") == 0) {
        s->a = numbers(s, (size_t)n[0] * (size_t)n[1]);
        s->b = numbers(s, (size_t)n[1] * (size_t)n[2]);
        s->out = numbers(s, (size_t)n[0] * (size_t)n[2]);
        return;
    }
    size_t pixels = (size_t)n[0] * (size_t)n[3] * (size_t)n[3];
    s->a = numbers(s, pixels * (size_t)n[1]);
    s->b = numbers(s, (size_t)n[1] * (size_t)n[2] * (size_t)n[4] * (size_t)n[4]);
    s->out = numbers(s, pixels * (size_t)n[2]);
}

static void release(subject *s) {
    clReleaseMemObject(s->a);
    clReleaseMemObject(s->b);
    clReleaseMemObject(s->out);
}

static double work_of(const peer_case *c) {
    const int *n = c->size;
    if (strcmp(c->group, "gemm") == 0) return 2.0 * n[0] * n[1] * n[2];
    return 2.0 * n[0] * n[1] * n[2] * n[3] * n[3] * n[4] * n[4];
}

static void call(subject *s, const peer_case *c) {
    size_t m = (size_t)s->size[0], k = (size_t)s->size[1], n = (size_t)s->size[2];
    size_t side = (size_t)s->size[3], kernel = (size_t)s->size[4];
    CLBlastStatusCode code;
    if (strcmp(c->group, "gemm") == 0)
        code =
            CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo,
                         c->transposed ? CLBlastTransposeYes : CLBlastTransposeNo, m, n, k, 1, s->a,
                         0, k, s->b, 0, c->transposed ? k : n, 0, s->out, 0, n, &s->queue, NULL);
    else
        code = CLBlastSconvgemm(CLBlastKernelModeCrossCorrelation, k, side, side, kernel, kernel,
                                kernel / 2, kernel / 2, 1, 1, 1, 1, n, m, s->a, 0, s->b, 0, s->out,
                                0, &s->queue, NULL);
    if (code != CLBlastSuccess) fail(c->name, (int)code);
}

/* Seconds of one call when it is repeated `inner` times. */
static double timed(subject *s, const peer_case *c, int inner) {
    double start = now();
    for (int i = 0; i < inner; i++) call(s, c);
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

static void open_device(subject *s) {
    cl_platform_id platform;
    cl_device_id device;
    cl_int code = clGetPlatformIDs(1, &platform, NULL);
    if (code != CL_SUCCESS) fail("clGetPlatformIDs", code);
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL);
    if (code != CL_SUCCESS) fail("clGetDeviceIDs", code);
    s->context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    if (!s->context) fail("clCreateContext", code);
    s->queue = clCreateCommandQueue(s->context, device, 0, &code);
    if (!s->queue) fail("clCreateCommandQueue", code);
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
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const peer_case *c = &cases[i];
        if (strcmp(c->group, only) != 0) continue;
        prepare(&s, c);
        printf("{\"case\": \"%s\", \"peer\": \"clblast\", \"threads\": %ld, \"value\": %.6g, "
               "\"unit\": \"GF/s\", \"better\": \"more\"}\n",
               c->name, threads, work_of(c) / seconds(&s, c) * 1e-9);
        fflush(stdout);
        release(&s);
    }
    clReleaseCommandQueue(s.queue);
    clReleaseContext(s.context);
    return 0;
}
