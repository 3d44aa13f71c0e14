/* train_tied_gpt.c: trains a GPT with a tied head from PyTorch's weights and tokens, for check_tied_gpt.py. */
#include <stdio.h>

#include "tern/tern.h"

enum { WIDTH = 16, HEADS = 2 };

typedef struct block {
    tern_module module;
    tern_module *norm_1, *qkv, *projection, *norm_2, *network;
} block;

static tern_module *add(tern_module *self, const char *name, const char *text) {
    return tern_module_child(self, name, tern_nn(tern_module_context(self), text));
}

static tern_status block_init(tern_module *self) {
    block *m = (block *)self;
    m->norm_1 = add(self, "norm_1", "LayerNorm(16)");
    m->qkv = add(self, "qkv", "Linear(16, 48)");
    m->projection = add(self, "projection", "Linear(16, 16)");
    m->norm_2 = add(self, "norm_2", "LayerNorm(16)");
    m->network = add(self, "network",
                     "Sequential(Linear(16, 64), GELU(approximate='tanh'), Linear(64, 16))");
    return TERN_OK;
}

static tern_tensor *block_forward(tern_module *self, tern_tensor *x) { /* [N, T, WIDTH] */
    block *m = (block *)self;
    tern_tensor *qkv = tern_forward(m->qkv, tern_forward(m->norm_1, x)), *part[3];
    for (int i = 0; i < 3; i++) { /* each [N, HEADS, T, WIDTH / HEADS] */
        tern_tensor *third = tern_narrow(qkv, 2, i * WIDTH, WIDTH);
        part[i] = tern_transpose(tern_unflatten(third, 2, TERN_SHAPE(HEADS, -1)), 1, 2);
    }
    tern_tensor *seen = tern_scaled_dot_product_attention(part[0], part[1], part[2], NULL, true);
    x = tern_add(x, tern_forward(m->projection, tern_flatten(tern_transpose(seen, 1, 2), 2, 3)));
    return tern_add(x, tern_forward(m->network, tern_forward(m->norm_2, x)));
}

static const tern_module_class block_class = {TERN_MODULE_CLASS("Block()", block),
                                              .init = block_init, .forward = block_forward};

typedef struct gpt {
    tern_module module;
    tern_module *token, *position, *blocks, *head;
} gpt;

static tern_status gpt_init(tern_module *self) {
    gpt *m = (gpt *)self;
    m->token = add(self, "token", "Embedding(7, 16)");
    m->position = add(self, "position", "Embedding(9, 16)");
    m->blocks = add(self, "blocks", "Sequential(Block(), Block(), LayerNorm(16))");
    m->head = add(self, "head", "Linear(16, 7, bias=False)");
    return tern_module_tie(self, "head.weight", "token.weight");
}

static tern_tensor *gpt_forward(tern_module *self, tern_tensor *tokens) { /* [N, T] to [N, T, 7] */
    gpt *m = (gpt *)self;
    tern_tensor *places = tern_arange_i64(tern_module_context(self), tern_size(tokens, 1));
    tern_tensor *x = tern_add(tern_forward(m->token, tokens), tern_forward(m->position, places));
    return tern_forward(m->head, tern_forward(m->blocks, x));
}

static const tern_module_class gpt_class = {TERN_MODULE_CLASS("GPT()", gpt), .init = gpt_init,
                                            .forward = gpt_forward};

/* One step over tokens [N, T]: each predicts the next. */
static tern_tensor *train(tern_module *model, tern_optim *adam, tern_tensor *tokens) {
    tern_tensor *logits = tern_forward(model, tern_index(tokens, ":, :-1"));
    tern_tensor *loss = tern_cross_entropy(
        tern_flatten(logits, 0, 1), tern_flatten(tern_index(tokens, ":, 1:"), 0, 1), TERN_MEAN);
    tern_optim_zero_grad(adam);
    tern_backward(loss);
    tern_optim_step(adam);
    return tern_detach(loss);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: train_tied_gpt FROM.pth TO.pth\n"), 2;
    tern_ctx *ctx = tern_open("cpu_ref");
    tern_nn_register(ctx, &block_class);
    tern_module *model = tern_module_new(ctx, &gpt_class, NULL);
    tern_value given = tern_value_load(ctx, argv[1]), losses = tern_list_new(ctx);
    tern_module_load_state_dict(model, tern_dict_get(given, "state"), true);
    tern_value groups = TERN_LIST(
        ctx, TERN_DICT(ctx, {"params", tern_module_parameters_like(model, "!*bias|*norm*")}),
        TERN_DICT(ctx, {"params", tern_module_parameters_like(model, "*bias|*norm*")},
                  {"weight_decay", tern_float(0)}));
    tern_optim *adam = tern_optim_make(
        ctx, groups, "AdamW",
        TERN_DICT(ctx, {"lr", tern_float(0.01)}, {"weight_decay", tern_float(0.1)}));
    tern_value tokens = tern_dict_get(given, "tokens");
    for (size_t i = 0; i < tern_value_count(tokens); i++) {
        tern_tensor *loss = train(model, adam, tern_value_at(tokens, i).as.tensor);
        tern_list_append(losses, tern_float(tern_item(loss)));
    }
    tern_value_save(ctx,
                    TERN_DICT(ctx, {"state", tern_module_state_dict(model)}, {"losses", losses},
                              {"parameters", tern_int(tern_module_count_parameters(model))}),
                    argv[2]);
    if (tern_check(ctx)) fprintf(stderr, "train_tied_gpt: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
