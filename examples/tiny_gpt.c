/*
 * tiny_gpt.c: a GPT of two blocks that learns to write words backwards: after "cafe>" comes "efac".
 * As in GPT-2: embeddings of tokens and positions, blocks of causal attention and of a small network,
 * each behind a layer norm, and a linear head. The words are random letters, so none is remembered.
 */
#include <stdio.h>

#include "tern/tern.h"

enum { LETTERS = 6, WORD = 4, PROMPT = WORD + 1, CONTEXT = 2 * WORD + 1 };
enum { WIDTH = 16, HEADS = 2, BATCH = 24, STEPS = 121 };

/* A block: x + attention(norm(x)), then x + network(norm(x)). */
typedef struct block {
    tern_module module;
    tern_module *norm_1, *qkv, *projection, *norm_2, *network;
} block;

/* A child from PyTorch's notation. */
static tern_module *add(tern_module *self, const char *name, const char *text) {
    return tern_module_child(self, name, tern_nn(tern_module_context(self), text));
}

static tern_status block_init(tern_module *self) {
    block *m = (block *)self;
    m->norm_1 = add(self, "norm_1", "LayerNorm(16)");
    m->qkv = add(self, "qkv", "Linear(16, 48)");
    m->projection = add(self, "projection", "Linear(16, 16)");
    m->norm_2 = add(self, "norm_2", "LayerNorm(16)");
    m->network = add(self, "network", "Sequential(Linear(16, 64), GELU(), Linear(64, 16))");
    return TERN_OK;
}

static tern_tensor *block_forward(tern_module *self, tern_tensor *x) { /* [N, T, WIDTH] */
    block *m = (block *)self;
    int64_t n = tern_size(x, 0), t = tern_size(x, 1);
    tern_tensor *qkv = tern_forward(m->qkv, tern_forward(m->norm_1, x)), *part[3];
    for (int i = 0; i < 3; i++) { /* each [N, HEADS, T, WIDTH / HEADS] */
        tern_tensor *third = tern_narrow(qkv, 2, i * WIDTH, WIDTH);
        third = tern_reshape(third, TERN_SHAPE(n, t, HEADS, WIDTH / HEADS));
        part[i] = tern_transpose(third, 1, 2);
    }
    tern_tensor *seen = tern_scaled_dot_product_attention(part[0], part[1], part[2], NULL, true);
    seen = tern_reshape(tern_transpose(seen, 1, 2), TERN_SHAPE(n, t, WIDTH));
    x = tern_add(x, tern_forward(m->projection, seen));
    return tern_add(x, tern_forward(m->network, tern_forward(m->norm_2, x)));
}

static const tern_module_class block_class = {TERN_MODULE_CLASS("Block()", block),
                                              .init = block_init, .forward = block_forward};

typedef struct gpt {
    tern_module module;
    tern_module *token, *position, *blocks;
} gpt;

static tern_status gpt_init(tern_module *self) {
    gpt *m = (gpt *)self;
    m->token = add(self, "token", "Embedding(7, 16)");
    m->position = add(self, "position", "Embedding(9, 16)");
    m->blocks = add(self, "blocks", "Sequential(Block(), Block(), LayerNorm(16), Linear(16, 7))");
    return TERN_OK;
}

static tern_tensor *gpt_forward(tern_module *self, tern_tensor *tokens) { /* [N, T] to [N, T, 7] */
    gpt *m = (gpt *)self;
    tern_tensor *places = tern_arange_i64(tern_module_context(self), tern_size(tokens, 1));
    tern_tensor *x = tern_add(tern_forward(m->token, tokens), tern_forward(m->position, places));
    return tern_forward(m->blocks, x);
}

static const tern_module_class gpt_class = {TERN_MODULE_CLASS("GPT()", gpt), .init = gpt_init,
                                            .forward = gpt_forward};

/* A batch of random words, each followed by '>' and the word backwards: [BATCH, CONTEXT]. */
static tern_tensor *random_words(tern_ctx *ctx) {
    int64_t text[BATCH][CONTEXT];
    for (int n = 0; n < BATCH; n++) {
        text[n][WORD] = LETTERS;
        for (int i = 0; i < WORD; i++) {
            uint32_t drawn = tern_generator_next_u32(tern_default_generator(ctx));
            text[n][i] = text[n][CONTEXT - 1 - i] = drawn % LETTERS;
        }
    }
    return tern_from_data(ctx, text, TERN_SHAPE(BATCH, CONTEXT), TERN_INT64);
}

int main(void) {
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 42);
    tern_nn_register(ctx, &block_class); /* text may now say "Block()" */
    tern_module *model = tern_module_new(ctx, &gpt_class, NULL);
    tern_optim *adam = tern_optim_new(model, "AdamW(lr=0.01)");
    for (int step = 0; step < STEPS && tern_check(ctx) == TERN_OK; step++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *text = random_words(ctx);
        tern_tensor *logits = tern_forward(model, tern_narrow(text, 1, 0, CONTEXT - 1));
        tern_tensor *wanted = tern_narrow(text, 1, PROMPT, WORD); /* the word backwards */
        logits = tern_flatten(tern_narrow(logits, 1, PROMPT - 1, WORD), 0, 1);
        tern_tensor *loss = tern_cross_entropy(logits, tern_flatten(wanted, 0, 1), TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_optim_step(adam);
        if (step % 40 == 0) printf("step %3d: loss %.4f\n", step, tern_item(loss));
        tern_scope_end(scope);
    }
    tern_scope_begin(ctx, TERN_INFERENCE); /* until tern_close: one likely token after another */
    int64_t written[CONTEXT] = {2, 0, 5, 4, LETTERS}; /* cafe> */
    for (int n = PROMPT; n < CONTEXT && tern_check(ctx) == TERN_OK; n++) {
        tern_tensor *so_far = tern_from_data(ctx, written, TERN_SHAPE(1, n), TERN_INT64);
        tern_tensor *logits = tern_select(tern_forward(model, so_far), 1, -1);
        written[n] = tern_item_i64(tern_argmax_all(logits));
    }
    for (int n = 0; n < CONTEXT; n++) putchar("abcdef>"[written[n]]);
    putchar('\n');
    if (tern_check(ctx)) fprintf(stderr, "tiny_gpt: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
