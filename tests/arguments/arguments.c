/*
 * arguments.c: calls every public function with arguments that no call should have, in every place.
 *
 *     tern_arguments FOLDER            all of them; files are written to the folder
 *     tern_arguments FOLDER N          every N-th function
 *     tern_arguments FOLDER FUNCTION   one function's, each call printed
 *
 * The calls run in a child process, which says in shared memory where it is: one that crashes is a
 * line of the report, and the next child goes on behind it. A call must
 *
 *   - not crash, and answer with something that can be used;
 *   - latch nothing where all arguments are legal (else legal.txt is wrong), and then give the same bits as
 *     the call by name, if it is an operation's;
 *   - latch TERN_ERR_ARGUMENT or TERN_ERR_STATE where one tensor is of another context;
 *   - latch an error where a tensor is NULL that legal.txt does not call optional, if another
 *     argument tells the context;
 *   - latch TERN_ERR_STATE where one handle of any kind is stale;
 *   - latch an error where an options struct was not made by its initialiser.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, strsignal */
#include "arguments.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_LEAST_CALLS     5000
#define AT_MOST_EXCEPTIONS 30

/* ---- spoiling -------------------------------------------------------------------------------- */

static const char *const spoil_names[SPOILS] = {"legal", "NULL",    "nil",    "latched", "foreign",
                                                "stale", "dropped", "zeroed", "unsized"};

static bool of_context(enum argument_kind kind) {
    return kind != ARGUMENT_OPTIONS && kind != ARGUMENT_POINTER;
}

static bool applies(enum argument_kind kind, enum spoil spoil) {
    switch (spoil) {
    case LEGAL:
    case NOTHING: return true;
    case NIL: return kind == ARGUMENT_TENSOR || kind == ARGUMENT_TENSORS || kind == ARGUMENT_VALUE;
    case LATCHED:
    case FOREIGN: return of_context(kind);
    case STALE: return of_context(kind) && kind != ARGUMENT_CONTEXT && kind != ARGUMENT_SCOPE;
    case DROPPED:
        return kind == ARGUMENT_TENSOR || kind == ARGUMENT_TENSORS || kind == ARGUMENT_VALUE;
    default: return kind == ARGUMENT_OPTIONS;
    }
}

static tern_ctx *opened(tern_ctx **ctx) {
    if (!*ctx) *ctx = tern_open(NULL);
    return *ctx;
}

bool arguments_make(struct call *c, int place) {
    enum spoil spoil = c->spoil[place];
    c->ctx = c->own;
    if (spoil == FOREIGN) c->ctx = opened(&c->foreign);
    if (spoil == LATCHED) c->ctx = opened(&c->failed);
    if (spoil == STALE) c->stale = tern_scope_begin(c->ctx, 0);
    return spoil != NOTHING;
}

static void end_stale(struct call *c, int place) {
    if (c->spoil[place] == STALE) tern_scope_end(c->stale);
    c->stale = (tern_scope){0};
}

static tern_tensor *spoiled(struct call *c, enum spoil spoil, tern_tensor *tensor) {
    if (spoil == NOTHING) return NULL;
    if (spoil == NIL) return tern_nil(c->ctx);
    if (spoil == DROPPED) tern_drop(tensor);
    return tensor;
}

void *arguments_made(struct call *c, int place, const void *argument) {
    enum argument_kind kind = c->function->places[place].kind;
    enum spoil spoil = c->spoil[place];
    if (kind == ARGUMENT_TENSOR) argument = spoiled(c, spoil, (tern_tensor *)argument);
    if (kind == ARGUMENT_TENSORS && argument) {
        tern_tensor **two = (tern_tensor **)argument;
        two[1] = spoiled(c, spoil, two[1]);
    }
    /* An options struct begins with its size. */
    if (spoil == ZEROED)
        memset((size_t *)argument + 1, 0, *(const size_t *)argument - sizeof(size_t));
    if (spoil == UNSIZED) memset((void *)argument, 0, sizeof(size_t));
    if (spoil == STALE) c->plain = !argument;
    end_stale(c, place);
    return (void *)argument;
}

tern_value arguments_made_value(struct call *c, int place, tern_value value) {
    enum spoil spoil = c->spoil[place];
    if (spoil == NOTHING) {
        /* A list, a text or a tensor that is not there: what a failed function left. */
        value = (tern_value){(tern_kind)(place % 2 ? TERN_VALUE_LIST : TERN_VALUE_TENSOR), 0, {0}};
    } else if (spoil == NIL || spoil == DROPPED) {
        tern_tensor *tensor = tern_zeros(c->ctx, TERN_SHAPE(2, 2), TERN_FLOAT32);
        value = tern_tensor_value(spoiled(c, spoil, tensor));
    }
    if (spoil == STALE) c->plain = value.kind < TERN_VALUE_LIST || value.kind == TERN_VALUE_DTYPE;
    end_stale(c, place);
    return value;
}

tern_scope arguments_made_scope(struct call *c, int place, tern_scope scope) {
    end_stale(c, place);
    return scope;
}

/* ---- one call -------------------------------------------------------------------------------- */

void arguments_ready(struct call *c) {
    if (c->failed) tern_fail(c->failed, TERN_ERR_ARGUMENT, "latched before");
    tern_manual_seed(c->own, 7);
    if (c->latched) tern_fail(c->own, TERN_ERR_ARGUMENT, "latched before");
}

void arguments_done(struct call *c) {
    tern_ctx *looked[2] = {c->own, c->foreign};
    for (int i = 0; i < 2 && !*c->error; i++) {
        if (!looked[i]) continue;
        c->status = tern_check(looked[i]);
        snprintf(c->error, sizeof c->error, "%s", tern_error(looked[i]));
    }
}

void arguments_use_tensor(struct call *c, tern_tensor *result) {
    (void)c;
    char text[64];
    if (result) tern_repr(result, text, sizeof text);
}

void arguments_use_value(struct call *c, tern_value result) {
    (void)c;
    char text[64];
    tern_value_repr(result, text, sizeof text);
}

void arguments_use_text(struct call *c, const char *result) {
    if (result) c->status = strlen(result) == (size_t)-1 ? TERN_ERR_INTERNAL : c->status;
}

static void finish(struct call *c) {
    for (int i = c->n_undo; i > 0; i--) c->undo[i - 1](c->undo_with[i - 1]);
    tern_close(c->own);
    tern_close(c->foreign);
    tern_close(c->failed);
    for (int i = 0; i < c->n_blocks; i++) free(c->blocks[i]);
}

/* ---- what a call must latch ------------------------------------------------------------------ */

struct exception {
    const char *place, *spoil, *reason;
};
static const struct exception exceptions[] = {
#include "exceptions.def"
};
#define N_EXCEPTIONS (sizeof exceptions / sizeof exceptions[0])

static bool excepted(const char *function, const char *argument, enum spoil spoil) {
    char place[160];
    snprintf(place, sizeof place, "%s.%s", function, argument);
    for (size_t i = 0; i < N_EXCEPTIONS; i++)
        if (strcmp(exceptions[i].place, place) == 0 &&
            strcmp(exceptions[i].spoil, spoil_names[spoil]) == 0)
            return true;
    return false;
}

/* The only argument that is not legal: -1 for none, -2 for several. */
static int only_spoiled(const struct call *c) {
    int found = -1;
    for (int i = 0; i < c->function->n_places; i++)
        if (c->spoil[i] != LEGAL) found = found == -1 ? i : -2;
    return found;
}

/* Another argument that tells its context (a generator does not). */
static bool has_company(const struct function *f, int place) {
    for (int i = 0; i < f->n_places; i++)
        if (i != place && of_context(f->places[i].kind) && f->places[i].kind != ARGUMENT_GENERATOR)
            return true;
    return false;
}

/* What is wrong with what the call latched; NULL where nothing is. */
static const char *judge(const struct call *c) {
    const struct function *f = c->function;
    int place = only_spoiled(c);
    if (c->latched || place == -2) return NULL;
    if (place == -1 && c->differs) return "differs from the call by name";
    if (place == -1)
        return *c->error && !excepted(f->name, "", LEGAL) ? "a legal call latched an error" : NULL;
    enum argument_kind kind = f->places[place].kind;
    enum spoil spoil = c->spoil[place];
    if (spoil == STALE && c->status != TERN_ERR_STATE && !c->plain &&
        !excepted(f->name, f->places[place].name, spoil))
        return "a stale handle was not refused";
    if (c->spoil[place] == UNSIZED && c->status == TERN_OK)
        return "options without a size were taken";
    if (kind != ARGUMENT_TENSOR && kind != ARGUMENT_TENSORS) return NULL;
    if (excepted(f->name, f->places[place].name, spoil)) return NULL;
    if (spoil == NOTHING && !f->places[place].optional && has_company(f, place) &&
        c->status == TERN_OK)
        return "NULL was taken for a tensor";
    if (spoil == FOREIGN && has_company(f, place) && c->status != TERN_ERR_STATE &&
        c->status != TERN_ERR_ARGUMENT)
        return "a tensor of another context was not refused";
    return NULL;
}

/* ---- all calls ------------------------------------------------------------------------------- */

/* What the children tell their parent. */
struct progress {
    size_t next; /* the call that the child is in, or has to begin with */
    size_t calls, wrong;
    char call[512];
};
static struct progress *progress;
static size_t index_of_call; /* counts all calls in order */
static const char *only;     /* a function's name, or NULL */
static size_t every = 1;

static void describe(const struct call *c) {
    char *text = progress->call;
    size_t size = sizeof progress->call;
    size_t n = (size_t)snprintf(text, size, "%s(", c->function->name);
    for (int i = 0; i < c->function->n_places && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s %s", i ? ", " : "",
                              c->function->places[i].name, spoil_names[c->spoil[i]]);
    if (n < size) snprintf(text + n, size - n, ")%s", c->latched ? " latched" : "");
}

static void run_call(struct call *c) {
    if (index_of_call++ < progress->next) return;
    progress->next = index_of_call - 1;
    describe(c);
    alarm(60);
    c->own = tern_open(NULL);
    c->function->call(c);
    const char *wrong = judge(c);
    if (wrong) {
        printf("%s: %s: %s%s\n", progress->call, wrong, tern_status_name(c->status), c->error);
        progress->wrong++;
    } else if (only) {
        printf("%s: %s\n", progress->call, c->error);
    }
    finish(c);
    progress->calls++;
}

/* Every spoiling of two places at most, with and without an error that is latched already. */
static void run_function(const struct function *f) {
    const struct call legal = {.function = f};
    for (int latched = 0; latched < 2; latched++) {
        struct call c = legal;
        c.latched = latched;
        run_call(&c);
        for (int i = 0; i < f->n_places; i++)
            for (enum spoil a = NOTHING; a < SPOILS; a++) {
                if (!applies(f->places[i].kind, a)) continue;
                c = legal;
                c.latched = latched;
                c.spoil[i] = a;
                run_call(&c);
                for (int j = i + 1; j < f->n_places; j++)
                    for (enum spoil b = NOTHING; b < SPOILS; b++) {
                        if (!applies(f->places[j].kind, b)) continue;
                        c = legal;
                        c.latched = latched;
                        c.spoil[i] = a;
                        c.spoil[j] = b;
                        run_call(&c);
                    }
            }
    }
}

static void run_all(void) {
    index_of_call = 0;
    for (size_t i = 0; i < function_count; i++)
        if (only ? strcmp(only, functions[i].name) == 0 : i % every == 0)
            run_function(&functions[i]);
    progress->next = index_of_call;
}

/* ---- the files that functions read ----------------------------------------------------------- */

static void write_files(void) {
    struct call c = {.own = tern_open(NULL)};
    c.ctx = c.own;
    tern_value_save(c.ctx, dict(&c), "tensors.safetensors");
    tern_value_save(c.ctx, dict(&c), "tensors.npz");
    tern_module_save(module(&c), "module.pth");
    mkdir("arrays", 0755);
    tern_npy_save(tensor(&c), "arrays/one.npy");
    static const char table[] = "a,b\n1,2\n3,4\n", json[] = "{\"a\": 1}",
                      idx[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 2};
    tern_file_write(c.ctx, "table.csv", table, sizeof table - 1);
    tern_file_write(c.ctx, "value.json", json, sizeof json - 1);
    tern_file_write(c.ctx, "labels.idx", idx, sizeof idx);
    if (tern_check(c.ctx)) {
        fprintf(stderr, "arguments: %s\n", tern_error(c.ctx));
        exit(1);
    }
    finish(&c);
}

/* In a child, so that the parent never opens a device. */
static int child(void (*work)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work();
        exit(0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) abort();
    return status;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2) {
        fprintf(stderr, "usage: tern_arguments FOLDER [N|FUNCTION]\n");
        return 2;
    }
    long number = argc > 2 ? strtol(argv[2], NULL, 10) : 1;
    if (number > 0)
        every = (size_t)number;
    else
        only = argv[2];
    mkdir(argv[1], 0755);
    progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED || chdir(argv[1]) || child(write_files)) return 1;
    size_t crashes = 0;
    for (int status; (status = child(run_all)) != 0; progress->next++, crashes++) {
        if (WIFSIGNALED(status))
            printf("CRASH %s: ", strsignal(WTERMSIG(status)));
        else
            printf("CRASH exit %d: ", WEXITSTATUS(status));
        printf("%s\n", progress->call);
    }
    printf("arguments: %zu functions, %zu calls, %zu crashes, %zu wrong answers, %zu exceptions\n",
           (function_count + every - 1) / every, progress->calls, crashes, progress->wrong,
           N_EXCEPTIONS);
    if (only) return crashes || progress->wrong;
    return crashes || progress->wrong || progress->calls < AT_LEAST_CALLS / every ||
           N_EXCEPTIONS > AT_MOST_EXCEPTIONS;
}
