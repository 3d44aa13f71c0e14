/*
 * allocations_of SAMPLES FOLDER [STRIDE]: files of each format are loaded, inspected and saved, a table and JSON are
 * read, a model trains, is captured and replayed, once for every allocation in it, which fails; STRIDE tries every so
 * many only. SAMPLES is tests/data.
 *
 * What fails must be one line of error; what does not must give what the undisturbed run gives; and a file that was
 * being written is the old one or the new one.
 */
#include "tern/tern.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 1024, TEXT_BYTES = 4096, MOST_WRONG = 10 };

typedef struct scenario {
    const char *name, *file; /* of the samples, or of the folder for what is written */
    void (*run)(tern_ctx *ctx, const char *path, uint64_t *digest);
    bool writes;
} scenario;

/* FNV-1a. */
static void add(uint64_t *digest, const void *bytes, size_t size) {
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++) *digest = (*digest ^ at[i]) * UINT64_C(1099511628211);
}

static void add_tensor(uint64_t *digest, tern_tensor *tensor) {
    double numbers[64];
    size_t count = (size_t)tern_numel(tensor);
    if (count > 64) {
        tensor = tern_narrow(tern_flatten(tensor, 0, -1), 0, 0, 64);
        count = 64;
    }
    if (tern_to_doubles(tensor, numbers, count) == TERN_OK)
        add(digest, numbers, count * sizeof *numbers);
}

static void add_value(uint64_t *digest, tern_value value) {
    char text[TEXT_BYTES];
    tern_value_repr(value, text, sizeof text);
    add(digest, text, strlen(text));
}

/* ---- what is done ---------------------------------------------------------------------------- */

static void load(tern_ctx *ctx, const char *path, uint64_t *digest) {
    add_value(digest, tern_value_load(ctx, path));
}

static void map(tern_ctx *ctx, const char *path, uint64_t *digest) {
    add_value(digest, tern_value_map(ctx, path));
}

static void inspect(tern_ctx *ctx, const char *path, uint64_t *digest) {
    const char *text = tern_json_text(ctx, tern_file_inspect(ctx, path), 0);
    if (text) add(digest, text, strlen(text));
}

static tern_module *model(tern_ctx *ctx) {
    tern_manual_seed(ctx, 1);
    return tern_nn(ctx, "Sequential(Linear(3, 4), ReLU(), BatchNorm1d(4), Linear(4, 2))");
}

static void save(tern_ctx *ctx, const char *path, uint64_t *digest) {
    add(digest, "", 1);
    tern_module_save(model(ctx), path);
}

static void load_model(tern_ctx *ctx, const char *path, uint64_t *digest) {
    tern_module *m = tern_nn(ctx, "Linear(1, 1)");
    tern_module_load(m, path);
    add_value(digest, tern_module_state_dict(m));
}

static void table(tern_ctx *ctx, const char *path, uint64_t *digest) {
    tern_value names;
    tern_csv *csv = tern_csv_open(ctx, path, NULL);
    add_tensor(digest, tern_csv_numbers(csv, (const char *const[]){"area"}, 1));
    add_tensor(digest, tern_csv_classes(csv, "town", &names));
    add_value(digest, names);
    add_value(digest, tern_file_inspect(ctx, path));
}

static tern_tensor *step(tern_module *m, tern_optim *adam, tern_tensor *x) {
    tern_tensor *loss = tern_mean(tern_square(tern_forward(m, x)));
    tern_optim_zero_grad(adam);
    tern_backward(loss);
    tern_optim_step(adam);
    return loss;
}

static void train(tern_ctx *ctx, const char *path, uint64_t *digest) {
    (void)path;
    tern_module *m = model(ctx);
    tern_optim *adam = tern_optim_new(m, "Adam(lr=0.1)");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(6, 3), TERN_FLOAT32);
    for (int i = 0; i < 3; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        step(m, adam, x);
        tern_scope_end(scope);
    }
    add_value(digest, tern_module_state_dict(m));
}

static void replay(tern_ctx *ctx, const char *path, uint64_t *digest) {
    (void)path;
    tern_module *m = model(ctx);
    tern_optim *adam = tern_optim_new(m, "Adam(lr=0.1)");
    tern_tensor *x = tern_randn(ctx, TERN_SHAPE(6, 3), TERN_FLOAT32);
    step(m, adam, x);
    tern_capture_begin(ctx, &x, 1);
    tern_tensor *loss = step(m, adam, x);
    tern_replay *program = tern_capture_end(ctx, &loss, 1);
    for (int i = 0; i < 3; i++) tern_replay_run(program, &x, 1);
    add_value(digest, tern_module_state_dict(m));
    tern_replay_free(program);
}

static void json(tern_ctx *ctx, const char *path, uint64_t *digest) {
    add_value(digest, tern_json_load(ctx, path));
}

static const scenario scenarios[] = {
    {"load .pth", "pth/m1.pth", load, false},
    {"load an old .pth", "pth/m1_legacy.pth", load, false},
    {"load a packed .pth", "pth/m1_deflated.pth", load, false},
    {"load a checkpoint", "pth/ckpt_adam.pth", load, false},
    {"load TorchScript", "pth/script.pt", load, false},
    {"load shared storages", "pth/tied.pth", load, false},
    {"load of Python 2", "pth/python2.pth", load, false},
    {"load rare dtypes", "pth/dtypes_rare.pth", load, false},
    {"map .pth", "pth/m1.pth", map, false},
    {"map safetensors", "wide.safetensors", map, false},
    {"load safetensors", "wide.safetensors", load, false},
    {"load GGUF", "gguf/sample.gguf", load, false},
    {"load .npy", "npy/big.npy", load, false},
    {"load .npz", "npy/packed.npz", load, false},
    {"inspect .pth", "pth/misc.pth", inspect, false},
    {"inspect an old .pth", "pth/m1_legacy.pth", inspect, false},
    {"inspect safetensors", "wide.safetensors", inspect, false},
    {"inspect GGUF", "gguf/sample.gguf", inspect, false},
    {"inspect .npy", "npy/fortran.npy", inspect, false},
    {"inspect .npz", "npy/packed.npz", inspect, false},
    {"load into a model", "linear.pth", load_model, true},
    {"save .pth", "saved.pth", save, true},
    {"save safetensors", "saved.safetensors", save, true},
    {"save .npz", "saved.npz", save, true},
    {"read a table", "table.csv", table, true},
    {"read JSON", "pth/contents.json", json, false},
    {"train", "", train, false},
    {"replay", "", replay, false},
};

/* ---- the failing allocation ------------------------------------------------------------------ */

typedef struct outcome {
    tern_status status;
    uint64_t digest, calls;
    char message[TEXT_BYTES];
} outcome;

static void run(const scenario *s, const char *path, uint64_t nth, outcome *out) {
    tern_ctx *ctx = tern_open("cpu_ref");
    *out = (outcome){.digest = UINT64_C(14695981039346656037)};
    tern_fail_allocation(nth);
    s->run(ctx, path, &out->digest);
    out->status = tern_check(ctx);
    snprintf(out->message, sizeof out->message, "%s", tern_error(ctx));
    out->calls = tern_fail_allocation(0);
    tern_close(ctx);
}

/* A hash of what a file holds, 0 for one that is not there. */
static uint64_t file_digest(const char *path) {
    unsigned char bytes[TEXT_BYTES];
    uint64_t digest = UINT64_C(14695981039346656037);
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, file)) > 0;) add(&digest, bytes, n);
    fclose(file);
    return digest;
}

static void put_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

static void path_of(const scenario *s, char **argv, char *out_path) {
    snprintf(out_path, PATH_BYTES, "%s/%s", argv[s->writes ? 2 : 1], s->file);
    tern_ctx *ctx = tern_open("cpu_ref");
    if (s->run == table) put_text(out_path, "area,town\n1,Ulm\n2.5,Bonn\n-0,Ulm\n");
    if (s->run == load_model) tern_module_save(tern_nn(ctx, "Linear(1, 1)"), out_path);
    if (tern_close(ctx) != TERN_OK) exit(2);
}

typedef struct counts {
    uint64_t tried, errors, without, wrong;
} counts;

static void try_all(const scenario *s, char **argv, uint64_t stride, counts *c) {
    char path[PATH_BYTES];
    static outcome right, seen;
    path_of(s, argv, path);
    run(s, path, 0, &right); /* twice: what the first run sets up stays */
    run(s, path, 0, &right);
    uint64_t whole = file_digest(path), old = whole;
    if (right.status != TERN_OK) {
        fprintf(stderr, "%s fails by itself: %s\n", s->name, right.message);
        c->wrong++;
        return;
    }
    for (uint64_t nth = 1; nth <= right.calls; nth += stride) {
        if (s->run == save) {
            put_text(path, "old");
            old = file_digest(path);
        }
        run(s, path, nth, &seen);
        uint64_t now = file_digest(path);
        bool clean = seen.status != TERN_OK && *seen.message && !strchr(seen.message, '\n');
        bool same = seen.status == TERN_OK && seen.digest == right.digest && now == whole;
        c->tried++;
        c->errors += clean;
        c->without += same;
        if ((clean || same) && (now == whole || now == old)) continue;
        if (c->wrong++ < MOST_WRONG)
            fprintf(stderr, "%s: allocation %" PRIu64 " of %" PRIu64 ": status %d '%s'%s%s\n",
                    s->name, nth, right.calls, (int)seen.status, seen.message,
                    seen.digest == right.digest ? "" : ", another result",
                    now == whole || now == old ? "" : ", a file of neither");
    }
}

int main(int argc, char **argv) {
    uint64_t stride = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    counts c = {0};
    if (argc < 3 || stride == 0) {
        fprintf(stderr, "usage: allocations_of SAMPLES FOLDER [STRIDE]\n");
        return 2;
    }
    if (mkdir(argv[2], 0777) != 0 && errno != EEXIST) {
        perror(argv[2]);
        return 2;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        uint64_t before = c.tried;
        try_all(&scenarios[i], argv, stride, &c);
        printf("%s: %" PRIu64 "\n", scenarios[i].name, c.tried - before);
    }
    printf("%" PRIu64 " allocations failed: %" PRIu64 " clean errors, %" PRIu64
           " done without, %" PRIu64 " wrong\n",
           c.tried, c.errors, c.without, c.wrong);
    return c.wrong || !c.errors;
}
