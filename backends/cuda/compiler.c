#include "compiler.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "cuda.h"

typedef struct nvrtc_program *nvrtcProgram;
typedef int nvrtcResult;

static struct functions {
    nvrtcResult (*create)(nvrtcProgram *program, const char *source, const char *name,
                          int n_headers, const char *const *headers, const char *const *names);
    nvrtcResult (*destroy)(nvrtcProgram *program);
    nvrtcResult (*compile)(nvrtcProgram program, int n_options, const char *const *options);
    const char *(*error)(nvrtcResult code);
    nvrtcResult (*arch_count)(int *count);
    nvrtcResult (*archs)(int *out);
    nvrtcResult (*log_size)(nvrtcProgram program, size_t *size);
    nvrtcResult (*log)(nvrtcProgram program, char *out);
    nvrtcResult (*cubin_size)(nvrtcProgram program, size_t *size);
    nvrtcResult (*cubin)(nvrtcProgram program, char *out);
    nvrtcResult (*ptx_size)(nvrtcProgram program, size_t *size);
    nvrtcResult (*ptx)(nvrtcProgram program, char *out);
} nvrtc;

#define FUNCTION(name, symbol)                                                                     \
    { symbol, offsetof(struct functions, name) }
static const struct entry {
    const char *symbol;
    size_t at;
} entries[] = {
    FUNCTION(create, "nvrtcCreateProgram"),
    FUNCTION(destroy, "nvrtcDestroyProgram"),
    FUNCTION(compile, "nvrtcCompileProgram"),
    FUNCTION(error, "nvrtcGetErrorString"),
    FUNCTION(arch_count, "nvrtcGetNumSupportedArchs"),
    FUNCTION(archs, "nvrtcGetSupportedArchs"),
    FUNCTION(log_size, "nvrtcGetProgramLogSize"),
    FUNCTION(log, "nvrtcGetProgramLog"),
    FUNCTION(cubin_size, "nvrtcGetCUBINSize"),
    FUNCTION(cubin, "nvrtcGetCUBIN"),
    FUNCTION(ptx_size, "nvrtcGetPTXSize"),
    FUNCTION(ptx, "nvrtcGetPTX"),
};

/* Those that know a chip of this backend's. */
static const char *const places[] = {"libnvrtc.so.13", "libnvrtc.so.12",
                                     "/usr/local/cuda/lib64/libnvrtc.so.13",
                                     "/usr/local/cuda/lib64/libnvrtc.so.12"};

#define MOST_ARCHS 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *library;
static bool is_open;
static int archs[MOST_ARCHS], n_archs; /* in order */

static const char *look(void) {
    for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++)
        library = dlopen(places[i], RTLD_NOW | RTLD_LOCAL);
    if (!library) return "it is not installed";
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(library, entries[i].symbol);
        if (!symbol) return "it is too old";
        memcpy((char *)&nvrtc + entries[i].at, &symbol, sizeof symbol);
    }
    if (nvrtc.arch_count(&n_archs) || n_archs < 1 || n_archs > MOST_ARCHS || nvrtc.archs(archs))
        return "it does not say for which GPUs it compiles";
    return NULL;
}

int32_t cuda_compiler_open(tern_backend_error *err) {
    const char *reason = NULL;
    pthread_mutex_lock(&lock);
    if (!is_open) reason = look();
    is_open = reason == NULL;
    pthread_mutex_unlock(&lock);
    if (!reason) return TERN_BACKEND_OK;
    if (err)
        tern_kit_fail(
            err, TERN_BACKEND_UNSUPPORTED,
            "cuda: kernels cannot be compiled: NVRTC (libnvrtc.so.12 or .13) is needed, and "
            "%s: install it (pip install nvidia-cuda-nvrtc, or the CUDA toolkit)",
            reason);
    return TERN_BACKEND_UNSUPPORTED;
}

/* The chip itself, where the compiler knows it, else the youngest before it. */
static int arch_for(int capability, bool *out_exact) {
    int best = 0;
    *out_exact = false;
    for (int i = 0; i < n_archs; i++) {
        if (archs[i] == capability) *out_exact = true;
        if (archs[i] <= capability && archs[i] > best) best = archs[i];
    }
    return best;
}

/* What the compiler said: all of it into the log, its first error into the message. */
static int32_t report(nvrtcProgram program, nvrtcResult code, tern_backend_error *err) {
    size_t size = 0;
    nvrtc.log_size(program, &size);
    char *log = cuda_host->alloc(size + 1), *error = NULL;
    if (log) {
        memset(log, 0, size + 1);
        nvrtc.log(program, log);
        for (char *line = log; *line;) {
            size_t length = strcspn(line, "\n");
            char *next = line + length + (line[length] != 0);
            line[length] = 0;
            if (*line) cuda_host->log(TERN_BACKEND_LOG_WARNING, line);
            if (!error && strstr(line, "error")) error = line;
            line = next;
        }
    }
    tern_kit_fail(err, TERN_BACKEND_FAILED, "cuda: a kernel does not compile: %.200s",
                  error ? error : nvrtc.error(code));
    cuda_host->free(log);
    return TERN_BACKEND_FAILED;
}

/* The code of a compiled program. */
static int32_t take(nvrtcProgram program, bool exact, unsigned char **out_code, size_t *out_size,
                    tern_backend_error *err) {
    size_t size = 0;
    nvrtcResult code = exact ? nvrtc.cubin_size(program, &size) : nvrtc.ptx_size(program, &size);
    if (code || !size) return tern_kit_fail(err, TERN_BACKEND_FAILED, "cuda: NVRTC gave no code");
    unsigned char *bytes = cuda_host->alloc(size);
    if (!bytes) return tern_kit_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "cuda: no host memory");
    code = exact ? nvrtc.cubin(program, (char *)bytes) : nvrtc.ptx(program, (char *)bytes);
    if (code) {
        cuda_host->free(bytes);
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "cuda: NVRTC gave no code");
    }
    *out_code = bytes;
    *out_size = size;
    return TERN_BACKEND_OK;
}

int32_t cuda_compile(const char *source, int capability, unsigned char **out_code, size_t *out_size,
                     tern_backend_error *err) {
    char arch[48];
    bool exact;
    nvrtcProgram program;
    int32_t status = cuda_compiler_open(err);
    if (status != TERN_BACKEND_OK) return status;
    int nearest = arch_for(capability, &exact);
    if (!nearest)
        return tern_kit_fail(err, TERN_BACKEND_UNSUPPORTED,
                             "cuda: NVRTC does not compile for compute capability %d.%d",
                             capability / 10, capability % 10);
    snprintf(arch, sizeof arch, "--gpu-architecture=%s_%d", exact ? "sm" : "compute", nearest);
    const char *const options[] = {arch, CUDA_COMPILER_OPTIONS, "-w"};
    nvrtcResult code = nvrtc.create(&program, source, "tern.cu", 0, NULL, NULL);
    if (code)
        return tern_kit_fail(err, TERN_BACKEND_FAILED, "cuda: NVRTC failed: %.100s",
                             nvrtc.error(code));
    code = nvrtc.compile(program, (int)(sizeof options / sizeof *options), options);
    status = code ? report(program, code, err) : take(program, exact, out_code, out_size, err);
    nvrtc.destroy(&program);
    return status;
}
