#define _GNU_SOURCE
#include "host_form.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tern/backend.h"

/* ---- compiling ------------------------------------------------------------------------------- */

/* What the dialect asks of its host, before every source. A kernel begins with a word to be found by, and the
 * number of its lanes. */
static const char prelude[] =
    "#include <stdint.h>\n"
    "#define GPU_HOST_KERNEL(lanes) GPU_KERNEL lanes\n"
    "typedef struct item { int64_t group[3]; int32_t lane, lanes; } item;\n"
    "static _Thread_local item gpu_host_item;\n"
    "static _Thread_local void (*gpu_host_lanes)(void);\n"
    "static inline void gpu_host_barrier(void) {\n"
    "    item mine = gpu_host_item;\n"
    "    gpu_host_lanes();\n"
    "    gpu_host_item = mine;\n"
    "}\n";

static bool run(const char *const *arguments) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static bool write_source(const char *path, const char *source) {
    FILE *file = fopen(path, "w");
    if (!file) return false;
    bool written = fprintf(file, "%s%s", prelude, source) > 0;
    return fclose(file) == 0 && written;
}

/* The host's to free; NULL where it cannot be read. */
static char *read_text(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (text) text[fread(text, 1, (size_t)size, file)] = 0;
    fclose(file);
    return text;
}

/* The parameter that ends at `end`: its type without the name. */
static size_t type_length(const char *at, const char *end) {
    size_t length = (size_t)(end - at);
    while (length > 0 && !strchr(" *\n", at[length - 1])) length--;
    return length;
}

/* A function that calls the kernel whose parameters begin at `at`, and what is known of it. */
static void write_call(FILE *file, const char *name, int length, const char *lanes,
                       int lanes_length, const char *at) {
    char call[8192] = "", sizes[8192] = "";
    size_t c = 0, s = 0;
    const char *close = strchr(at, ')');
    for (int i = 0; close && at < close; i++) {
        const char *end = at + strcspn(at, ",)");
        const char *comma = i ? ", " : "";
        if (memchr(at, '*', (size_t)(end - at))) {
            c += (size_t)snprintf(call + c, sizeof call - c, "%sarguments[%d]", comma, i);
            s += (size_t)snprintf(sizes + s, sizeof sizes - s, "0, ");
        } else {
            int type = (int)type_length(at, end);
            c += (size_t)snprintf(call + c, sizeof call - c, "%s*(%.*s *)arguments[%d]", comma,
                                  type, at, i);
            s += (size_t)snprintf(sizes + s, sizeof sizes - s, "sizeof(%.*s), ", type, at);
        }
        at = end + 1;
    }
    fprintf(file,
            "void gpu_run_%.*s(void **arguments, const item *where, void (*barrier)(void)) {\n"
            "gpu_host_item = *where;\ngpu_host_lanes = barrier;\n%.*s(%s);\n}\n"
            "const int32_t gpu_sizes_%.*s[] = {%s-1};\nconst int32_t gpu_lanes_%.*s = %.*s;\n",
            length, name, length, name, call, length, name, sizes, length, name, lanes_length,
            lanes);
}

/* The space before the word void that a kernel begins with: its name may be in another line. NULL where there is none. */
static const char *find_void(const char *at) {
    static const char word[] = " void";
    while ((at = strstr(at, word)) && !strchr(" \n", at[strlen(word)])) at += strlen(word);
    return at;
}

/* The text that the preprocessor made, with a function of each kernel's behind it. */
static bool write_kernels(const char *path, const char *text) {
    static const char word[] = "GPU_KERNEL ";
    FILE *file = fopen(path, "w");
    if (!file) return false;
    const char *from = text;
    for (const char *at; (at = strstr(from, word));) {
        const char *rest = find_void(at);
        if (!rest) break;
        fprintf(file, "%.*sstatic", (int)(at - from), from);
        from = rest;
    }
    fputs(from, file);
    for (const char *at = text; (at = strstr(at, word));) {
        const char *lanes = at + strlen(word), *rest = find_void(at);
        if (!rest) break;
        const char *name = rest + strlen(" void");
        name += strspn(name, " \n");
        size_t length = strcspn(name, "(");
        write_call(file, name, (int)length, lanes, (int)(rest - lanes), name + length + 1);
        at = name;
    }
    fprintf(file, "const int32_t gpu_has_barriers = %d;\n",
            strstr(text, "gpu_host_barrier();") != NULL);
    return fclose(file) == 0;
}

const char *host_form_optimization = "-O1";

static bool compile(const char *from, const char *to) {
    bool address = strcmp(TERN_BACKEND_SANITIZERS, "address") == 0;
    const char *const arguments[] = {"cc",
                                     "-std=gnu11",
                                     host_form_optimization,
                                     "-shared",
                                     "-fPIC",
                                     "-w",
                                     "-ffp-contract=off",
                                     address ? "-fsanitize=address,undefined"
                                             : "-fsanitize=undefined",
                                     "-fno-sanitize-recover=all",
                                     "-o",
                                     to,
                                     "-x",
                                     "cpp-output",
                                     from,
                                     "-lm",
                                     NULL};
    return run(arguments);
}

bool host_form_compile(const char *source, const char *path) {
    char from[512], plain[512];
    snprintf(from, sizeof from, "%s.c", path);
    snprintf(plain, sizeof plain, "%s.i", path);
    const char *const preprocess[] = {"cc", "-std=gnu11", "-E", "-P", "-o", plain, from, NULL};
    bool done = write_source(from, source) && run(preprocess);
    char *text = done ? read_text(plain) : NULL;
    done = text && write_kernels(plain, text) && compile(plain, path);
    free(text);
    if (!done) return false;
    unlink(from);
    unlink(plain);
    return true;
}

static void *find(void *library, const char *format, const char *name) {
    char symbol[160];
    snprintf(symbol, sizeof symbol, format, name);
    return dlsym(library, symbol);
}

bool host_form_find(void *library, const char *name, host_kernel *out) {
    void *function = find(library, "gpu_run_%s", name);
    const int32_t *lanes = find(library, "gpu_lanes_%s", name);
    const int32_t *barriers = dlsym(library, "gpu_has_barriers");
    if (!function || !lanes || !barriers) return false;
    memcpy(&out->run, &function, sizeof function);
    out->sizes = find(library, "gpu_sizes_%s", name);
    out->lanes = *lanes;
    out->has_barriers = *barriers != 0;
    return out->sizes != NULL;
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
    const host_kernel *kernel;
    void **arguments;
    const int64_t *groups;
    int32_t count;
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
static void run_groups(const host_kernel *kernel, void **arguments, const int64_t *groups,
                       int32_t of, int32_t first, int32_t count, host_barrier barrier) {
    host_item at = {.lanes = of};
    for (at.group[2] = 0; at.group[2] < groups[2]; at.group[2]++)
        for (at.group[1] = 0; at.group[1] < groups[1]; at.group[1]++)
            for (at.group[0] = 0; at.group[0] < groups[0]; at.group[0]++)
                for (at.lane = first; at.lane < first + count; at.lane++) {
                    kernel->run(arguments, &at, barrier);
                    if (barrier) let_others_run(true);
                }
}

static void run_fiber(void) {
    run_groups(running->kernel, running->arguments, running->groups, running->count, running->now,
               1, wait_at_barrier);
    running->has_ended = true;
}

/* Each lane to its next barrier or the end of the group; false where some do one and some the other. */
static bool run_to_barrier(lanes *all, bool from_last) {
    int32_t out = 0;
    for (int32_t i = 0; i < all->count; i++) {
        all->now = from_last ? all->count - 1 - i : i;
        swapcontext(&all->scheduler, &all->fibers[all->now]);
        out += all->is_out;
    }
    return out == 0 || out == all->count;
}

/* Apart from the loop: getcontext counts as a function that may return twice. */
static __attribute__((noinline)) void prepare_fiber(ucontext_t *fiber, ucontext_t *behind,
                                                    char *stack) {
    getcontext(fiber);
    fiber->uc_stack.ss_sp = stack;
    fiber->uc_stack.ss_size = STACK_BYTES;
    fiber->uc_link = behind;
    makecontext(fiber, run_fiber, 0);
}

static const char *run_fibers(lanes *all) {
    char *stacks = malloc((size_t)all->count * STACK_BYTES);
    if (!stacks) return "no memory for lanes";
    for (int32_t i = 0; i < all->count; i++)
        prepare_fiber(&all->fibers[i], &all->scheduler, stacks + (size_t)i * STACK_BYTES);
    pthread_mutex_lock(&one_launch);
    running = all;
    bool together = true;
    for (bool from_last = false; together && !all->has_ended; from_last = !from_last)
        together = run_to_barrier(all, from_last);
    pthread_mutex_unlock(&one_launch);
    free(stacks);
    return together ? NULL : "some lanes wait at a barrier that others do not reach";
}

const char *host_form_run(const host_kernel *kernel, void **arguments, const int64_t groups[3],
                          int32_t count) {
    if (count != kernel->lanes) return "a group has other lanes than the kernel was compiled for";
    if (!kernel->has_barriers) {
        run_groups(kernel, arguments, groups, count, 0, count, NULL);
        return NULL;
    }
    if (count > MOST_LANES) return "a group has too many lanes";
    lanes *all = malloc(sizeof *all);
    if (!all) return "no memory for lanes";
    *all = (lanes){.kernel = kernel, .arguments = arguments, .groups = groups, .count = count};
    const char *wrong = run_fibers(all);
    free(all);
    return wrong;
}
