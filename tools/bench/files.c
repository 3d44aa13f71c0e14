/* Saving and loading a state dict of 100 MB. */
#include "bench.h"

#include "folders.h"

#include "tern/io.h"
#include "tern/memory.h"

#include <stdio.h>

enum { LAYERS = 25, WIDTH = 1000 };

/* The model, and a path that ends as the case's text. */
static void prepare_model(bench_subject *s) {
    tern_module *layers[LAYERS];
    const char *folder = bench_folder(s);
    char *path = tern_scope_alloc(s->ctx, PATH_SIZE);
    for (int i = 0; i < LAYERS; i++) layers[i] = tern_nn_linear(s->ctx, WIDTH, WIDTH, NULL);
    s->model = tern_nn_sequential(s->ctx, layers, LAYERS);
    if (folder && path) path_join(s->ctx, folder, s->text, path);
    s->more = path;
}

/* As torch.save does: not flushed to the disk. */
static void run_save(bench_subject *s) {
    tern_save_options o = TERN_SAVE_OPTIONS;
    o.durable = false;
    tern_value_save_with(s->ctx, tern_module_state_dict(s->model), s->more, &o);
}

static void run_save_durable(bench_subject *s) {
    tern_value_save(s->ctx, tern_module_state_dict(s->model), s->more);
}

static void prepare_file(bench_subject *s) {
    prepare_model(s);
    run_save(s);
}

static void run_map(bench_subject *s) {
    tern_value_map(s->ctx, s->more);
}

static void run_load(bench_subject *s) {
    tern_value_load(s->ctx, s->more);
}

static const bench_case cases[] = {
    {"pth_save_100MB", BENCH_MS, prepare_model, run_save, .text = "m.pth", .budgets = 2},
    {"pth_save_durable_100MB", BENCH_MS, prepare_model, run_save_durable, .text = "m.pth",
     .budgets = 2},
    {"pth_load_100MB", BENCH_MS, prepare_file, run_map, .text = "m.pth", .budgets = 2},
    {"pth_load_copied_100MB", BENCH_MS, prepare_file, run_load, .text = "m.pth", .budgets = 2},
    {"safetensors_save_100MB", BENCH_MS, prepare_model, run_save, .text = "m.safetensors",
     .budgets = 2},
    {"safetensors_save_durable_100MB", BENCH_MS, prepare_model, run_save_durable,
     .text = "m.safetensors", .budgets = 2},
    {"safetensors_load_100MB", BENCH_MS, prepare_file, run_map, .text = "m.safetensors",
     .budgets = 2},
};

const bench_group bench_files = BENCH_GROUP("files", cases);
