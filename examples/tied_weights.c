/*
 * tied_weights.c: a small transformer that predicts the next letter, whose last layer is its table of
 * embeddings: one parameter under two names, as in GPT-2.
 */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

enum { LETTERS = 27, WIDTH = 16, LENGTH = 24 };

typedef struct letters {
    tern_module module;
    tern_module *token, *position, *block, *head;
    tern_tensor *places, *mask;
} letters;

static tern_status letters_init(tern_module *self) {
    letters *m = (letters *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->token = tern_module_child(self, "token", tern_nn(ctx, "Embedding(27, 16)"));
    m->position = tern_module_child(self, "position", tern_nn(ctx, "Embedding(24, 16)"));
    m->block = tern_module_child(
        self, "block",
        tern_nn(ctx, "TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)"));
    m->head = tern_module_child(self, "head", tern_nn(ctx, "Linear(16, 27, bias=False)"));
    m->places = tern_module_buffer(
        self, "places", tern_to_dtype(tern_arange(ctx, 0, LENGTH, 1), TERN_INT64), false);
    float mask[LENGTH][LENGTH] = {{0}};
    for (int i = 0; i < LENGTH; i++)
        for (int k = i + 1; k < LENGTH; k++) mask[i][k] = -1e9f; /* nobody looks ahead */
    tern_tensor *ahead = tern_from_data(ctx, mask, TERN_SHAPE(LENGTH, LENGTH), TERN_FLOAT32);
    m->mask = tern_module_buffer(self, "mask", ahead, false);
    return tern_module_tie(self, "head.weight", "token.weight");
}

static tern_tensor *letters_forward(tern_module *self, tern_tensor *x) {
    letters *m = (letters *)self;
    x = tern_add(tern_forward(m->token, x), tern_forward(m->position, m->places));
    tern_value args[] = {tern_tensor_value(x), tern_tensor_value(m->mask)};
    return tern_forward(m->head, tern_module_call(m->block, args, 2, tern_none()).as.tensor);
}

static const tern_module_class letters_class = {TERN_MODULE_CLASS("Letters()", letters),
                                                .init = letters_init, .forward = letters_forward};

static tern_tensor *letters_of(tern_ctx *ctx, const char *text) {
    int64_t codes[LENGTH];
    for (int i = 0; i < LENGTH; i++) codes[i] = text[i] == ' ' ? 26 : text[i] - 'a';
    return tern_from_data(ctx, codes, TERN_SHAPE(1, LENGTH), TERN_INT64);
}

int main(void) {
    static const char text[] = "the quick brown fox jumps";
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 5);
    tern_module *model = tern_module_new(ctx, &letters_class, NULL);
    tern_tensor *x = letters_of(ctx, text), *y = letters_of(ctx, text + 1);
    tern_optim *adam = tern_optim_new(model, "AdamW(lr=0.01)");
    printf("%d parameters\n", (int)tern_module_count_parameters(model));
    for (int step = 0; step <= 60; step++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_tensor *scores = tern_forward(model, x);
        tern_tensor *loss =
            tern_cross_entropy(tern_flatten(scores, 0, 1), tern_flatten(y, 0, 1), TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_optim_step(adam);
        if (step % 15 == 0) printf("step %2d: loss %.4f\n", step, tern_item(loss));
        tern_scope_end(scope);
    }
    tern_module_save(model, "tied_weights.pth"); /* both names, one storage */
    printf("%s\n",
           tern_module_tensor(model, "head.weight") == tern_module_tensor(model, "token.weight")
               ? "tied"
               : "apart");

    if (tern_check(ctx)) fprintf(stderr, "tied_weights: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
