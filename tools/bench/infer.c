/* One answer of a model, and what it takes to have the model ready from its file. */
#include "bench.h"
#include "models.h"

#include "folders.h"

#include "tern/io.h"
#include "tern/memory.h"
#include "tern/ops.h"

static void prepare_answer(bench_subject *s) {
    bool is_image = s->size[0] > 0;
    s->model = tern_nn(s->ctx, s->text);
    tern_module_eval(s->model);
    s->a = tern_rand(s->ctx, is_image ? TERN_SHAPE(1, 1, 28, 28) : TERN_SHAPE(1, 1), NULL);
}

static void run_answer(bench_subject *s) {
    s->results[0] = tern_forward(s->model, s->a);
}

static void prepare_load(bench_subject *s) {
    const char *folder = bench_folder(s);
    char *path = tern_scope_alloc(s->ctx, PATH_SIZE);
    s->more = path;
    if (folder && path && path_join(s->ctx, folder, "model.pth", path))
        tern_module_save(tern_nn(s->ctx, s->text), path);
}

static void run_load(bench_subject *s) {
    tern_module *model = tern_nn(s->ctx, s->text);
    tern_module_assign_state_dict(model, tern_value_map(s->ctx, s->more), true);
    tern_module_eval(model);
}

#define ANSWER(name, side, model, more)                                                            \
    {                                                                                              \
        name, BENCH_US, prepare_answer, run_answer, .size = {side}, .text = model,                 \
                                                    .flags = BENCH_INFERENCE | (more)              \
    }

static const bench_case cases[] = {
    ANSWER("mlp_infer_b1", 28, MODEL_MLP, 0),
    ANSWER("mlp_infer_b1_replayed", 28, MODEL_MLP, BENCH_REPLAYED),
    {"mlp_infer_b1_load", BENCH_MS, prepare_load, run_load, .text = MODEL_MLP},
    ANSWER("cnn_infer_b1", 28, MODEL_CNN, 0),
    ANSWER("cnn_infer_b1_replayed", 28, MODEL_CNN, BENCH_REPLAYED),
    {"cnn_infer_b1_load", BENCH_MS, prepare_load, run_load, .text = MODEL_CNN},
    ANSWER("cnn64_infer_b1", 28, MODEL_CNN64, 0),
    ANSWER("cnn64_infer_b1_replayed", 28, MODEL_CNN64, BENCH_REPLAYED),
    {"cnn64_infer_b1_load", BENCH_MS, prepare_load, run_load, .text = MODEL_CNN64},
    ANSWER("linear_infer_b1", 0, "Linear(1, 1)", 0),
    ANSWER("linear_infer_b1_replayed", 0, "Linear(1, 1)", BENCH_REPLAYED),
    {"linear_infer_b1_load", BENCH_MS, prepare_load, run_load, .text = "Linear(1, 1)"},
};

const bench_group bench_infer = BENCH_GROUP("infer", cases);
