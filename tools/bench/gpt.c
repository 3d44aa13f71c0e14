/* A small GPT in training, asked as a whole and token by token; and attention over a long text. */
#include "bench.h"
#include "models.h"

#include "tern/grad.h"
#include "tern/ops.h"

static const small_gpt_sizes sizes = {
    .vocab = 65, .context = 64, .width = 128, .layers = 4, .heads = 4};

enum { BATCH = 12 };

static void prepare_gpt(bench_subject *s) {
    s->model = small_gpt_new(s->ctx, &sizes);
    s->a = tern_randint(s->ctx, 0, sizes.vocab, TERN_SHAPE(BATCH, sizes.context), NULL);
    s->target = tern_randint(s->ctx, 0, sizes.vocab, TERN_SHAPE(BATCH, sizes.context), NULL);
}

static void prepare_training(bench_subject *s) {
    prepare_gpt(s);
    if (s->model) s->optim = tern_optim_new(s->model, "AdamW(lr=1e-3, foreach=True)");
    s->work = BATCH * (double)sizes.context;
}

static void run_step(bench_subject *s) {
    tern_optim_zero_grad(s->optim);
    tern_tensor *logits = tern_view(tern_forward(s->model, s->a), TERN_SHAPE(-1, sizes.vocab));
    s->results[0] = tern_cross_entropy(logits, tern_view(s->target, TERN_SHAPE(-1)), TERN_MEAN);
    tern_backward(s->results[0]);
    tern_optim_step(s->optim);
}

static void prepare_answer(bench_subject *s) {
    prepare_gpt(s);
    tern_module_eval(s->model);
    s->b = tern_narrow(s->a, 0, 0, 1);
}

static void run_forward(bench_subject *s) {
    s->results[0] = tern_forward(s->model, s->b);
}

static void prepare_tokens(bench_subject *s) {
    prepare_answer(s);
    s->work = (double)sizes.context;
}

static void run_tokens(bench_subject *s) {
    small_gpt_cache *cache = small_gpt_cache_new(s->model);
    for (int64_t place = 0; cache && place < sizes.context; place++) {
        tern_scope scope = tern_scope_begin(s->ctx, 0);
        small_gpt_next(s->model, cache, tern_narrow(s->b, 1, place, 1), place);
        tern_scope_end(scope);
    }
}

static void prepare_attention(bench_subject *s) {
    tern_tensor **parts[] = {&s->a, &s->b, &s->c, &s->gradient};
    for (int i = 0; i < 4; i++)
        *parts[i] = tern_randn(s->ctx, TERN_SHAPE(1, 8, s->size[0], 64), NULL);
    for (int i = 0; i < 3; i++) tern_requires_grad(*parts[i], true);
}

static void run_attention(bench_subject *s) {
    tern_set_grad(s->a, NULL);
    tern_set_grad(s->b, NULL);
    tern_set_grad(s->c, NULL);
    tern_tensor *result = tern_scaled_dot_product_attention(s->a, s->b, s->c, NULL, true);
    tern_backward_with(result, s->gradient, 0);
}

static const bench_case cases[] = {
    {"gpt_train_step", BENCH_TOKENS, prepare_training, run_step, .budgets = 3},
    {"gpt_train_step_replayed", BENCH_TOKENS, prepare_training, run_step, .flags = BENCH_REPLAYED,
     .budgets = 3},
    {"gpt_forward_b1", BENCH_US, prepare_answer, run_forward, .flags = BENCH_INFERENCE},
    {"gpt_forward_b1_replayed", BENCH_US, prepare_answer, run_forward,
     .flags = BENCH_INFERENCE | BENCH_REPLAYED},
    {"gpt_token_cached", BENCH_US, prepare_tokens, run_tokens, .flags = BENCH_INFERENCE},
    {"attention_4096_train", BENCH_MS, prepare_attention, run_attention, .size = {4096},
     .budgets = 3},
};

const bench_group bench_gpt = BENCH_GROUP("gpt", cases);
