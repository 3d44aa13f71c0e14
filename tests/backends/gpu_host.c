/*
 * gpu_host: the kernels of backends/gpu as C on the host, so that the suite runs each of them, generated
 * programs too, without a GPU and with undefined behaviour made an error (and bad addresses, where this
 * backend is built with that sanitizer).
 *
 * A driver that compiles a source by the host's compiler, as a shared object, and calls its kernels. A group
 * whose kernels have barriers runs with a fiber for each lane, all others one item after the other. Of the two
 * devices, gpu_host:1 has the tiles of a device whose groups run on a core each, and interprets every program
 * that it may.
 */
#define _GNU_SOURCE /* mkdtemp */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu_ref/kit.h"
#include "gpu/gpu.h"

extern char **environ;

#define MOST_KERNELS   4
#define MOST_ARGUMENTS 128
#define FLAG_BYTES     64

typedef struct device {
    gpu_device gpu;
    char folder[64];
    unsigned count; /* of sources */
    uint64_t flag[FLAG_BYTES / 8];
} device;

/* Where an item is; the shared object has one for each thread. */
typedef struct item {
    int64_t group[3];
    int32_t lane, lanes;
} item;

typedef void (*barrier_fn)(void);
typedef void (*kernel_fn)(void **arguments, const item *where, barrier_fn barrier);

struct gpu_program {
    void *library;
    kernel_fn kernels[MOST_KERNELS];
    bool has_barriers;
};

static const tern_host *host;

/* ---- compiling ------------------------------------------------------------------------------- */

/* What the dialect asks of its host, before every source. */
static const char prelude[] =
    "#include <stdint.h>\n"
    "typedef struct item { int64_t group[3]; int32_t lane, lanes; } item;\n"
    "static _Thread_local item gpu_host_item;\n"
    "static _Thread_local void (*gpu_host_lanes)(void);\n"
    "static inline void gpu_host_barrier(void) {\n"
    "    item mine = gpu_host_item;\n"
    "    gpu_host_lanes();\n"
    "    gpu_host_item = mine;\n"
    "}\n";

/* A function that calls the kernel with arguments by address: a buffer's is what it is, a number's is where
 * it lies. */
static void write_call(FILE *file, const char *source, const char *name) {
    char head[96];
    snprintf(head, sizeof head, "KERNEL %s(", name);
    const char *at = strstr(source, head);
    if (!at) return;
    fprintf(file,
            "void gpu_run_%s(void **arguments, const item *where, void (*barrier)(void)) {\n"
            "gpu_host_item = *where;\ngpu_host_lanes = barrier;\n%s(",
            name, name);
    at += strlen(head);
    for (int i = 0; at[-1] != ')'; i++) {
        size_t length = strcspn(at, ",)"), type = length;
        while (type > 0 && at[type - 1] != ' ' && at[type - 1] != '*') type--;
        if (memchr(at, '*', length))
            fprintf(file, "%sarguments[%d]", i ? ", " : "", i);
        else
            fprintf(file, "%s*(%.*s *)arguments[%d]", i ? ", " : "", (int)type, at, i);
        at += length + 1;
    }
    fprintf(file, ");\n}\n");
}

static bool compile(const char *from, const char *to) {
    bool address = strcmp(TERN_BACKEND_SANITIZERS, "address") == 0;
    const char *arguments[] = {"cc",
                               "-std=gnu11",
                               "-O1",
                               "-shared",
                               "-fPIC",
                               "-w",
                               "-ffp-contract=off",
                               address ? "-fsanitize=address,undefined" : "-fsanitize=undefined",
                               "-fno-sanitize-recover=all",
                               "-o",
                               to,
                               from,
                               "-lm",
                               NULL};
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        execvp("cc", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void program_free(gpu_device *base, gpu_program *program) {
    (void)base;
    if (program->library) dlclose(program->library);
    host->free(program);
}

static int32_t load(const char *path, const char *const *entries, gpu_program *program,
                    tern_backend_error *err) {
    program->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!program->library) return gpu_fail(err, TERN_BACKEND_FAILED, "gpu_host: %s", dlerror());
    for (int i = 0; i < MOST_KERNELS && entries[i]; i++) {
        char name[96];
        snprintf(name, sizeof name, "gpu_run_%s", entries[i]);
        void *symbol = dlsym(program->library, name);
        memcpy(&program->kernels[i], &symbol, sizeof symbol);
        if (!symbol) return gpu_fail(err, TERN_BACKEND_FAILED, "gpu_host: no kernel %s", name);
    }
    return TERN_BACKEND_OK;
}

static int32_t build(gpu_device *base, const char *source, const char *const *entries,
                     gpu_program **out_program, tern_backend_error *err) {
    device *self = (device *)base;
    char from[96], to[96];
    snprintf(from, sizeof from, "%s/%u.c", self->folder, self->count);
    snprintf(to, sizeof to, "%s/%u.so", self->folder, self->count++);
    gpu_program *program = host->alloc(sizeof *program);
    FILE *file = program ? fopen(from, "w") : NULL;
    if (!file) {
        host->free(program);
        return gpu_fail(err, TERN_BACKEND_FAILED, "gpu_host: %s is not written", from);
    }
    memset(program, 0, sizeof *program);
    /* the dialect defines the word once more, as what it does */
    const char *body = strstr(source, "KERNEL ");
    body = body ? strstr(body, "barrier()\n") : NULL;
    program->has_barriers = body && strstr(body, "BARRIER;") != NULL;
    fprintf(file, "%s%s", prelude, source);
    for (int i = 0; entries[i]; i++) write_call(file, source, entries[i]);
    int32_t status = TERN_BACKEND_OK;
    if (fclose(file) || !compile(from, to))
        status = gpu_fail(err, TERN_BACKEND_FAILED, "gpu_host: %s does not compile", from);
    if (status == TERN_BACKEND_OK) status = load(to, entries, program, err);
    if (status == TERN_BACKEND_OK) {
        unlink(from);
        *out_program = program;
    } else {
        program_free(base, program);
    }
    unlink(to);
    return status;
}

/* ---- running --------------------------------------------------------------------------------- */

/*
 * The lanes of a group with barriers are fibers: each runs to its next barrier, then the next one does. The
 * order turns at each barrier, so that a kernel which lacks one reads what is not yet written in one of the
 * two orders, on every run.
 */
#define STACK_BYTES ((size_t)1 << 16)
#define MOST_LANES  256

typedef struct lanes {
    kernel_fn kernel;
    void **arguments;
    const gpu_extent *extent;
    int32_t now;
    bool is_out; /* of the kernel, or it waits at a barrier */
    bool has_ended;
    ucontext_t scheduler, fibers[MOST_LANES];
} lanes;

/* One launch at a time: the LOCALs of a kernel are static. */
static pthread_mutex_t one_launch = PTHREAD_MUTEX_INITIALIZER;
static lanes *running;

static void let_others_run(bool is_out) {
    running->is_out = is_out;
    swapcontext(&running->fibers[running->now], &running->scheduler);
}

/* What a kernel's BARRIER calls. */
static void wait_at_barrier(void) {
    let_others_run(false);
}

/* All groups: of one lane on a fiber, or of all lanes one after the other where there is no barrier. */
static void run_groups(const lanes *all, int32_t first, int32_t count, barrier_fn barrier) {
    const int64_t *groups = all->extent->groups;
    item at = {.lanes = all->extent->lanes};
    for (at.group[2] = 0; at.group[2] < groups[2]; at.group[2]++)
        for (at.group[1] = 0; at.group[1] < groups[1]; at.group[1]++)
            for (at.group[0] = 0; at.group[0] < groups[0]; at.group[0]++)
                for (at.lane = first; at.lane < first + count; at.lane++) {
                    all->kernel(all->arguments, &at, barrier);
                    if (barrier) let_others_run(true);
                }
}

static void run_fiber(void) {
    run_groups(running, running->now, 1, wait_at_barrier);
    running->has_ended = true;
}

/* Each lane to its next barrier or the end of the group; false where some do one and some the other. */
static bool run_to_barrier(lanes *all, bool from_last) {
    int32_t count = all->extent->lanes, out = 0;
    for (int32_t i = 0; i < count; i++) {
        all->now = from_last ? count - 1 - i : i;
        swapcontext(&all->scheduler, &all->fibers[all->now]);
        out += all->is_out;
    }
    return out == 0 || out == count;
}

static int32_t run_fibers(lanes *all, tern_backend_error *err) {
    int32_t count = all->extent->lanes;
    if (count > MOST_LANES)
        return gpu_fail(err, TERN_BACKEND_INVALID, "gpu_host: a group of %d lanes", (int)count);
    char *stacks = host->alloc((size_t)count * STACK_BYTES);
    if (!stacks) return gpu_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_host: no memory for lanes");
    for (int32_t i = 0; i < count; i++) {
        getcontext(&all->fibers[i]);
        all->fibers[i].uc_stack.ss_sp = stacks + (size_t)i * STACK_BYTES;
        all->fibers[i].uc_stack.ss_size = STACK_BYTES;
        all->fibers[i].uc_link = &all->scheduler;
        makecontext(&all->fibers[i], run_fiber, 0);
    }
    pthread_mutex_lock(&one_launch);
    running = all;
    bool together = true;
    for (bool from_last = false; together && !all->has_ended; from_last = !from_last)
        together = run_to_barrier(all, from_last);
    pthread_mutex_unlock(&one_launch);
    host->free(stacks);
    if (together) return TERN_BACKEND_OK;
    return gpu_fail(err, TERN_BACKEND_FAILED,
                    "gpu_host: some lanes wait at a barrier that others do not reach");
}

static int32_t start(gpu_device *base, tern_bqueue *queue, gpu_program *program, int32_t entry,
                     const gpu_argument *arguments, int32_t count, const gpu_extent *extent,
                     tern_backend_error *err) {
    (void)base, (void)queue;
    void *addresses[MOST_ARGUMENTS];
    for (int32_t i = 0; i < count; i++)
        addresses[i] = arguments[i].buffer ? (void *)arguments[i].buffer
                                           : (void *)(uintptr_t)arguments[i].bytes;
    lanes *all = host->alloc(sizeof *all);
    if (!all) return gpu_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_host: no memory for lanes");
    *all = (lanes){.kernel = program->kernels[entry], .arguments = addresses, .extent = extent};
    int32_t status = TERN_BACKEND_OK;
    if (program->has_barriers)
        status = run_fibers(all, err);
    else
        run_groups(all, 0, extent->lanes, NULL);
    host->free(all);
    return status;
}

static tern_bbuffer *flag(gpu_device *base, tern_bqueue *queue) {
    (void)queue;
    return (tern_bbuffer *)(void *)((device *)base)->flag;
}

static const gpu_driver driver = {build, program_free, start, flag};

/* ---- the device ------------------------------------------------------------------------------ */

/* A handle is the address. */
static int32_t buffer_alloc(tern_bdevice *base, uint64_t bytes, tern_bbuffer **out_buffer,
                            tern_backend_error *err) {
    (void)base;
    *out_buffer = host->alloc((size_t)bytes);
    if (*out_buffer) return TERN_BACKEND_OK;
    return gpu_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_host: out of memory");
}

static void buffer_free(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *buffer) {
    (void)base, (void)queue;
    host->free(buffer);
}

static int32_t copy_to_device(tern_bdevice *base, tern_bqueue *queue, tern_bbuffer *dst,
                              uint64_t dst_offset, const void *src, uint64_t bytes,
                              tern_backend_error *err) {
    (void)base, (void)queue, (void)err;
    memmove((char *)dst + dst_offset, src, (size_t)bytes);
    return TERN_BACKEND_OK;
}

static int32_t copy_to_host(tern_bdevice *base, tern_bqueue *queue, void *dst, tern_bbuffer *src,
                            uint64_t src_offset, uint64_t bytes, tern_backend_error *err) {
    (void)base, (void)queue, (void)err;
    memmove(dst, (const char *)src + src_offset, (size_t)bytes);
    return TERN_BACKEND_OK;
}

/* The work is done, so a kernel's error is launch's own answer. */
static int32_t launch(tern_bdevice *base, tern_bqueue *queue, int32_t kernel,
                      const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                      int32_t n_outputs, const void *attrs, uint32_t attrs_size,
                      tern_backend_error *err) {
    device *self = (device *)base;
    memset(self->flag, 0, sizeof self->flag);
    int32_t status = gpu_launch(base, queue, kernel, inputs, n_inputs, outputs, n_outputs, attrs,
                                attrs_size, err);
    if (status != TERN_BACKEND_OK || !*(const int32_t *)(const void *)self->flag) return status;
    return gpu_flag_status(self->flag, err);
}

static void close_device(tern_bdevice *base) {
    device *self = (device *)base;
    gpu_device_fini(&self->gpu);
    rmdir(self->folder);
    host->free(self);
}

static const tern_bdevice_vtable vtable = {
    .struct_size = sizeof vtable,
    .alignment = 64,
    .speed = TERN_SPEED_REFERENCE,
    .close = close_device,
    .buffer_alloc = buffer_alloc,
    .buffer_free = buffer_free,
    .copy_to_device = copy_to_device,
    .copy_to_host = copy_to_host,
    .supports = gpu_supports,
    .launch = launch,
};

#define DEVICES 2

static int32_t device_count(int32_t *out_count, tern_backend_error *err) {
    (void)err;
    *out_count = DEVICES;
    return TERN_BACKEND_OK;
}

static int32_t device_info(int32_t index, tern_device_info *out_info, tern_backend_error *err) {
    if (index < 0 || index >= DEVICES)
        return gpu_fail(err, TERN_BACKEND_INVALID, "gpu_host has two devices");
    return tern_kit_device_info(out_info, "the kernels of GPUs as C", "");
}

static int32_t device_open(int32_t index, tern_bdevice **out_device, tern_backend_error *err) {
    if (index < 0 || index >= DEVICES)
        return gpu_fail(err, TERN_BACKEND_INVALID, "gpu_host has two devices");
    device *self = host->alloc(sizeof *self);
    if (!self) return gpu_fail(err, TERN_BACKEND_OUT_OF_MEMORY, "gpu_host: out of memory");
    memset(self, 0, sizeof *self);
    snprintf(self->folder, sizeof self->folder, "/tmp/tern-gpu-host-XXXXXX");
    if (!mkdtemp(self->folder) || !gpu_device_init(&self->gpu, &vtable, host, &driver)) {
        host->free(self);
        return gpu_fail(err, TERN_BACKEND_FAILED, "gpu_host: no folder for its programs");
    }
    self->gpu.has_f64 = true;
    self->gpu.compiles_first = index == 1 ? 0 : INT32_MAX;
    self->gpu.kind = index == 1 ? GPU_KIND_CORES : GPU_KIND_LANES;
    /* so many units take the smallest tile, whose lanes are quickest to run one after the other */
    self->gpu.units = index == 1 ? 1 : 1 << 20;
    *out_device = &self->gpu.base;
    return TERN_BACKEND_OK;
}

static const tern_backend_desc description = {
    .name = "gpu_host",
    .version = "0.1.0",
    .speed = TERN_SPEED_REFERENCE,
    .device_count = device_count,
    .device_info = device_info,
    .device_open = device_open,
};

int32_t TERN_BACKEND_QUERY_NAME(uint32_t host_abi, const tern_host *host_table,
                                tern_backend_desc *out_desc, tern_backend_error *err) {
    host = host_table;
    return tern_kit_describe(host_abi, &description, out_desc, err);
}
