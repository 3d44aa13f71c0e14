/*
 * char_lstm.c: learns a verse letter by letter with an LSTM, then writes it from its first letter.
 *
 * Shows a module of one's own with a constructor argument, a layer whose forward returns more than
 * one tensor (tern_module_call), and gradient clipping.
 */
#include <stdio.h>
#include <string.h>

#include "tern/tern.h"

static const char verse[] = "the tern flies from pole to pole, and back to where it came from. ";
enum { LENGTH = sizeof verse - 1, EPOCHS = 61 };

/* ---- the model ---- */

typedef struct char_lstm {
    tern_module module;
    int64_t letters, hidden; /* constructor arguments */
    tern_module *embedding, *lstm, *head;
} char_lstm;

static const tern_field fields[] = {TERN_FIELD(char_lstm, letters, letters),
                                    TERN_FIELD(char_lstm, hidden, hidden), TERN_FIELD_END};

static tern_status init(tern_module *self) {
    char_lstm *m = (char_lstm *)self;
    tern_ctx *ctx = tern_module_context(self);
    tern_recurrent_options o = TERN_RECURRENT_OPTIONS;
    o.batch_first = true;
    m->embedding =
        tern_module_child(self, "embedding", tern_nn_embedding(ctx, m->letters, 16, NULL));
    m->lstm = tern_module_child(self, "lstm", tern_nn_lstm(ctx, 16, m->hidden, &o));
    m->head = tern_module_child(self, "head", tern_nn_linear(ctx, m->hidden, m->letters, NULL));
    return TERN_OK;
}

/* Letters [N, T] to the logits of the letters that follow, [N, T, letters]. */
static tern_tensor *forward(tern_module *self, tern_tensor *input) {
    char_lstm *m = (char_lstm *)self;
    tern_value argument = tern_tensor_value(tern_forward(m->embedding, input));
    tern_value result = tern_module_call(m->lstm, &argument, 1, tern_none());
    tern_value output = tern_value_at(result, 0); /* (output, (h_n, c_n)) */
    if (output.kind != TERN_VALUE_TENSOR) return tern_nil(tern_module_context(self));
    return tern_forward(m->head, output.as.tensor);
}

static const tern_module_class cls = {
    TERN_MODULE_CLASS("CharLSTM(int letters, int hidden)", char_lstm),
    .fields = fields,
    .init = init,
    .forward = forward,
};

/* ---- letters as numbers ---- */

/* Writes each letter's place in `alphabet`, which it fills; returns how many letters there are. */
static int64_t encode(const char *text, char *alphabet, int64_t *out_codes) {
    int64_t letters = 0;
    for (size_t i = 0; i < LENGTH; i++) {
        char *known = memchr(alphabet, text[i], (size_t)letters);
        out_codes[i] = known ? known - alphabet : letters;
        if (!known) alphabet[letters++] = text[i];
    }
    return letters;
}

/* The most likely letter after those so far. */
static int64_t next_letter(tern_module *model, const int64_t *codes, int64_t count) {
    tern_ctx *ctx = tern_module_context(model);
    tern_scope scope = tern_scope_begin(ctx, TERN_INFERENCE);
    tern_tensor *so_far = tern_from_data(ctx, codes, TERN_SHAPE(1, count), TERN_INT64);
    tern_tensor *logits = tern_select(tern_forward(model, so_far), 1, -1);
    int64_t letter = tern_item_i64(tern_argmax_all(logits));
    tern_scope_end(scope);
    return letter;
}

int main(void) {
    char alphabet[LENGTH];
    int64_t codes[LENGTH];
    int64_t letters = encode(verse, alphabet, codes);
    tern_ctx *ctx = tern_open(NULL);
    tern_manual_seed(ctx, 42);
    tern_tensor *input = tern_from_data(ctx, codes, TERN_SHAPE(1, LENGTH - 1), TERN_INT64);
    tern_tensor *target = tern_from_data(ctx, codes + 1, TERN_SHAPE(LENGTH - 1), TERN_INT64);
    tern_module *model = tern_module_new(ctx, &cls, &(char_lstm){.letters = letters, .hidden = 48});
    tern_optim *adam = tern_optim_new(model, "Adam(lr=0.02)");

    for (int epoch = 0; epoch < EPOCHS && tern_check(ctx) == TERN_OK; epoch++) {
        tern_scope step = tern_scope_begin(ctx, 0);
        tern_tensor *logits = tern_flatten(tern_forward(model, input), 0, 1);
        tern_tensor *loss = tern_cross_entropy(logits, target, TERN_MEAN);
        tern_optim_zero_grad(adam);
        tern_backward(loss);
        tern_clip_grad_norm(ctx, tern_module_parameters(model), 1.0, 2.0, false);
        tern_optim_step(adam);
        if (epoch % 20 == 0) printf("epoch %3d: loss %.4f\n", epoch, tern_item(loss));
        tern_scope_end(step);
    }

    for (int64_t n = 1; n < LENGTH && tern_check(ctx) == TERN_OK; n++)
        codes[n] = next_letter(model, codes, n);
    for (int n = 0; n < LENGTH; n++) putchar(alphabet[codes[n]]);
    putchar('\n');
    if (tern_check(ctx)) fprintf(stderr, "char_lstm: %s\n", tern_error(ctx));
    return tern_close(ctx) != TERN_OK;
}
