/* Recurrent layers, attention and transformers: layouts, masks, copies, refusals. */
#include <math.h>
#include <stdio.h>

#include "nn_fixture.h"

TestSuite(nn_sequences, .init = open_context, .fini = close_context);

static tern_tensor *ramp(tern_shape shape) {
    int64_t count = 1;
    for (int i = 0; i < shape.rank; i++) count *= shape.dim[i];
    return tern_reshape(tern_linspace(ctx, -1, 1, count), shape);
}

static bool close_to(tern_tensor *a, tern_tensor *b) {
    tern_shape x = tern_shape_of(a), y = tern_shape_of(b);
    if (x.rank != y.rank || memcmp(x.dim, y.dim, (size_t)x.rank * sizeof *x.dim) != 0) return false;
    return tern_item(tern_max(tern_abs(tern_sub(a, b)))) < 1e-6;
}

static tern_value call1(tern_module *module, tern_tensor *input) {
    tern_value args[] = {tern_tensor_value(input)};
    return tern_module_call(module, args, 1, tern_none());
}

static tern_tensor *part(tern_value result, size_t index) {
    tern_value item = tern_value_at(result, index);
    cr_assert_eq(item.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
    return item.as.tensor;
}

static tern_module *seeded(const char *text) {
    tern_manual_seed(ctx, 5);
    tern_module *module = tern_nn(ctx, text);
    cr_assert_not_null(module, "%s", tern_error(ctx));
    return module;
}

/* ---- recurrent layers ------------------------------------------------------------------------ */

Test(nn_sequences, layouts_of_a_recurrent_layer_agree) {
    static const char *const kinds[] = {"RNN", "GRU", "LSTM"};
    tern_tensor *x = ramp(TERN_SHAPE(4, 2, 3));
    for (size_t i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s(3, 5)", kinds[i]);
        tern_tensor *plain = part(call1(seeded(text), x), 0);
        tern_tensor *single = part(call1(seeded(text), tern_select(x, 1, 1)), 0);
        cr_assert(close_to(single, tern_select(plain, 1, 1)), "%s", text);
        snprintf(text, sizeof text, "%s(3, 5, batch_first=True)", kinds[i]);
        tern_tensor *first = part(call1(seeded(text), tern_transpose(x, 0, 1)), 0);
        cr_assert(close_to(tern_transpose(first, 0, 1), plain), "%s", text);
    }
    CHECK_CLEAN();
}

/* The reverse direction of a sequence is the forward one of the sequence turned round. */
Test(nn_sequences, the_reverse_direction_reads_from_the_end) {
    tern_module *both = seeded("GRU(3, 2, bidirectional=True)"), *one = tern_nn(ctx, "GRU(3, 2)");
    static const char *const names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
    char reverse[64];
    for (size_t i = 0; i < 4; i++) {
        snprintf(reverse, sizeof reverse, "%s_reverse", names[i]);
        tern_scope quiet = tern_scope_begin(ctx, TERN_NO_GRAD);
        tern_copy_in_place(tern_module_tensor(one, names[i]), tern_module_tensor(both, reverse));
        tern_scope_end(quiet);
    }
    tern_tensor *x = ramp(TERN_SHAPE(3, 1, 3));
    tern_value result = call1(both, x);
    tern_value dims[] = {tern_tensor_value(x), tern_int(0)};
    tern_tensor *turned = tern_call(ctx, "flip", dims, 2, tern_none()).as.tensor;
    tern_tensor *forward = part(call1(one, turned), 0);
    cr_assert(close_to(tern_narrow(tern_select(part(result, 0), 0, 0), -1, 2, 2),
                       tern_select(forward, 0, 2)));
    cr_assert(close_to(tern_select(part(result, 1), 0, 1), tern_select(forward, 0, 2)));
    CHECK_CLEAN();
}

Test(nn_sequences, a_state_continues_a_sequence) {
    tern_module *m = seeded("LSTM(3, 4, num_layers=2, proj_size=2)");
    tern_tensor *x = ramp(TERN_SHAPE(5, 2, 3));
    tern_value whole = call1(m, x), head = call1(m, tern_narrow(x, 0, 0, 2));
    tern_value args[] = {tern_tensor_value(tern_narrow(x, 0, 2, 3)), tern_value_at(head, 1)};
    tern_value tail = tern_module_call(m, args, 2, tern_none());
    CHECK_CLEAN();
    cr_assert(close_to(part(tail, 0), tern_narrow(part(whole, 0), 0, 2, 3)));
    cr_assert(close_to(part(tern_value_at(tail, 1), 1), part(tern_value_at(whole, 1), 1)));
}

Test(nn_sequences, a_cell_is_one_step_of_its_layer) {
    static const char *const pairs[][2] = {
        {"RNN(3, 4, nonlinearity='relu')", "RNNCell(3, 4, nonlinearity='relu')"},
        {"GRU(3, 4)", "GRUCell(3, 4)"},
        {"LSTM(3, 4)", "LSTMCell(3, 4)"}};
    tern_tensor *x = ramp(TERN_SHAPE(1, 2, 3));
    for (size_t i = 0; i < 3; i++) {
        tern_tensor *layer = part(call1(seeded(pairs[i][0]), x), 0);
        tern_value step = call1(seeded(pairs[i][1]), tern_select(x, 0, 0));
        tern_tensor *hidden = step.kind == TERN_VALUE_TENSOR ? step.as.tensor : part(step, 0);
        cr_assert(close_to(hidden, tern_select(layer, 0, 0)), "%s", pairs[i][1]);
    }
    CHECK_CLEAN();
}

Test(nn_sequences, dropout_between_layers_is_of_training_alone) {
    tern_module *m = seeded("RNN(3, 8, 2, dropout=0.5)");
    tern_tensor *x = ramp(TERN_SHAPE(3, 1, 3));
    tern_tensor *a = part(call1(m, x), 0), *b = part(call1(m, x), 0);
    cr_assert(!close_to(a, b));
    tern_module_eval(m);
    cr_assert(close_to(part(call1(m, x), 0), part(call1(m, x), 0)));
}

#define REFUSES(text, message)                                                                     \
    do {                                                                                           \
        cr_assert_null(tern_nn(ctx, (text)), "%s", (text));                                        \
        CHECK_ERROR_HAS(message);                                                                  \
    } while (0)

Test(nn_sequences, constructors_refuse_what_cannot_be) {
    REFUSES("GRU(3, 0)", "GRU: hidden_size must be positive");
    REFUSES("GRU(3, 2, 0)", "GRU: num_layers must be positive");
    REFUSES("GRU(3, 2, 5000)", "GRU: num_layers=5000 is more than 4096");
    REFUSES("GRU(3, 2, dropout=2)", "dropout should be a number in range [0, 1]");
    REFUSES("LSTM(3, 2, proj_size=2)", "proj_size=2 has to be smaller than hidden_size=2");
    REFUSES("RNN(3, 2, nonlinearity='gelu')", "Unknown nonlinearity 'gelu'");
    REFUSES("RNNCell(3, 2, nonlinearity='gelu')", "Unknown nonlinearity: gelu");
    REFUSES("GRUCell(3, 0)", "GRUCell: hidden_size must be positive");
    REFUSES("MultiheadAttention(0, 1)", "embed_dim and num_heads must be greater than 0");
    REFUSES("MultiheadAttention(4, 3)", "embed_dim must be divisible by num_heads");
    REFUSES("TransformerEncoderLayer(4, 2, activation='tanh')",
            "activation should be relu/gelu, not tanh");
    REFUSES("TransformerDecoderLayer(4, 2, activation='tanh')",
            "activation should be relu/gelu, not tanh");
    REFUSES("TransformerEncoder(TransformerEncoderLayer(4, 2), 0)", "num_layers must be positive");
    REFUSES("TransformerEncoder(3, 1)", "TransformerEncoder: expected a module");
}

static void refuses_call(const char *text, tern_value first, tern_value second,
                         const char *message) {
    tern_value args[] = {first, second};
    tern_module *m = seeded(text);
    cr_assert_eq(
        tern_module_call(m, args, second.kind == TERN_VALUE_NONE ? 1 : 2, tern_none()).kind,
        TERN_VALUE_NONE);
    cr_assert_not_null(strstr(tern_error(ctx), message), "%s: %s", text, tern_error(ctx));
    tern_error_clear(ctx);
}

Test(nn_sequences, forwards_refuse_inputs_and_states_that_do_not_fit) {
    tern_value none = tern_none(), x = tern_tensor_value(ramp(TERN_SHAPE(2, 2, 3)));
    tern_value flat = tern_tensor_value(ramp(TERN_SHAPE(3)));
    tern_value wide = tern_tensor_value(ramp(TERN_SHAPE(2, 4)));
    tern_value empty = tern_tensor_value(tern_zeros(ctx, TERN_SHAPE(0, 2, 3), TERN_FLOAT32));
    tern_value one = tern_list_new(ctx);
    tern_list_append(one, x);
    refuses_call("GRU(3, 2)", flat, none, "Expected input to be 2D or 3D, got 1D instead");
    refuses_call("GRU(3, 2)", wide, none, "Expected 3, got 4");
    refuses_call("GRU(3, 2)", empty, none, "Expected sequence length to be larger than 0");
    refuses_call("GRU(3, 2)", x, x, "Expected hidden size (1, 2, 2) for batched input");
    refuses_call("LSTM(3, 2)", x, one, "LSTM: hx must be a pair (h_0, c_0)");
    refuses_call("LSTMCell(3, 2)", wide, none, "got 4 expected 3");
    refuses_call("LSTMCell(3, 2)", flat, one, "LSTMCell: hx must be a pair (h, c)");
    refuses_call("GRUCell(3, 2)", x, none, "Expected input to be 1D or 2D, got 3D instead");
}

/* ---- attention ------------------------------------------------------------------------------- */

static tern_value attend(tern_module *m, tern_tensor *x, tern_value padding, bool weights,
                         tern_value mask, bool average) {
    tern_value t = tern_tensor_value(x);
    tern_value args[] = {t, t, t, padding, tern_bool(weights), mask, tern_bool(average)};
    return tern_module_call(m, args, 7, tern_none());
}

Test(nn_sequences, attention_without_weights_gives_the_same_output) {
    tern_module *m = seeded("MultiheadAttention(4, 2, add_bias_kv=True, add_zero_attn=True)");
    const uint8_t hidden[] = {0, 0, 1, 0, 1, 1};
    tern_tensor *x = ramp(TERN_SHAPE(3, 2, 4));
    tern_value padding =
        tern_tensor_value(tern_from_data(ctx, hidden, TERN_SHAPE(2, 3), TERN_BOOL));
    tern_value a = attend(m, x, padding, true, tern_none(), true);
    tern_value b = attend(m, x, padding, false, tern_none(), true);
    CHECK_CLEAN();
    cr_assert(close_to(part(a, 0), part(b, 0)));
    cr_assert_eq(tern_value_at(b, 1).kind, TERN_VALUE_NONE);
    cr_assert_eq(tern_size(part(a, 1), 2), 5);
    cr_assert_float_eq(at(part(a, 1), 2), 0, 0, "a padded key has no weight");
    tern_tensor *heads = part(attend(m, x, padding, true, tern_none(), false), 1);
    cr_assert(close_to(tern_mean_dims(heads, TERN_SHAPE(1), false), part(a, 1)));
}

Test(nn_sequences, boolean_and_floating_masks_agree_in_every_layout) {
    const uint8_t above[] = {0, 1, 1, 0, 0, 1, 0, 0, 0};
    const float added[] = {0, -INFINITY, -INFINITY, 0, 0, -INFINITY, 0, 0, 0};
    tern_value boolean = tern_tensor_value(tern_from_data(ctx, above, TERN_SHAPE(3, 3), TERN_BOOL));
    tern_value floating = tern_tensor_value(floats(TERN_SHAPE(3, 3), added));
    tern_tensor *x = ramp(TERN_SHAPE(3, 2, 4));
    tern_module *m = seeded("MultiheadAttention(4, 2)");
    tern_tensor *a = part(attend(m, x, tern_none(), true, boolean, true), 0);
    cr_assert(close_to(part(attend(m, x, tern_none(), false, floating, true), 0), a));
    tern_value each = tern_tensor_value(tern_expand(floating.as.tensor, TERN_SHAPE(4, 3, 3)));
    cr_assert(close_to(part(attend(m, x, tern_none(), false, each, true), 0), a));
    tern_tensor *single =
        part(attend(m, tern_select(x, 1, 0), tern_none(), true, boolean, true), 0);
    cr_assert(close_to(single, tern_select(a, 1, 0)));
    m = seeded("MultiheadAttention(4, 2, batch_first=True)");
    tern_tensor *first =
        part(attend(m, tern_transpose(x, 0, 1), tern_none(), true, boolean, true), 0);
    cr_assert(close_to(tern_transpose(first, 0, 1), a));
    CHECK_CLEAN();
}

Test(nn_sequences, attention_refuses_widths_and_masks_that_do_not_fit) {
    tern_module *m = seeded("MultiheadAttention(4, 2, kdim=3)");
    tern_tensor *x = ramp(TERN_SHAPE(3, 2, 4));
    attend(m, x, tern_none(), true, tern_none(), true);
    CHECK_ERROR_HAS("key must be 2D (or batched, 3D) as query is, with a last dimension of 3");
    m = seeded("MultiheadAttention(4, 2)");
    tern_value mask = tern_tensor_value(ramp(TERN_SHAPE(2, 2)));
    attend(m, x, tern_none(), true, mask, true);
    CHECK_ERROR_HAS("the 2D attn_mask does not have the sizes of the sequences (3 queries, 3 keys");
    attend(m, x, mask, true, tern_none(), true);
    CHECK_ERROR_HAS("the 2D key_padding_mask does not have the sizes");
}

/* ---- transformers ---------------------------------------------------------------------------- */

Test(nn_sequences, a_stack_copies_one_layer_and_draws_it_once) {
    static const char layer[] = "TransformerEncoderLayer(4, 2, 8)";
    char text[128];
    snprintf(text, sizeof text, "TransformerEncoder(%s, 2, LayerNorm(4))", layer);
    tern_module *stack = seeded(text);
    tern_tensor *after_stack = tern_rand(ctx, TERN_SHAPE(4), NULL);
    tern_module *one = seeded(layer);
    cr_assert(tern_equal(tern_rand(ctx, TERN_SHAPE(4), NULL), after_stack));
    tern_tensor *first = tern_module_tensor(stack, "layers.0.linear1.weight");
    tern_tensor *second = tern_module_tensor(stack, "layers.1.linear1.weight");
    cr_assert(tern_equal(first, tern_module_tensor(one, "linear1.weight")));
    cr_assert(tern_equal(first, second));
    cr_assert(!tern_shares_storage(first, second));
    cr_assert_not_null(strstr(tern_module_repr_text(stack),
                              "  (layers): ModuleList(\n    (0-1): 2 x TransformerEncoderLayer(\n"),
                       "%s", tern_module_repr_text(stack));
    CHECK_CLEAN();
}

Test(nn_sequences, a_transformer_trains) {
    tern_module *m = seeded("Transformer(4, 2, 1, 1, 8, dropout=0.0)");
    tern_value args[] = {tern_tensor_value(ramp(TERN_SHAPE(3, 2, 4))),
                         tern_tensor_value(ramp(TERN_SHAPE(2, 2, 4)))};
    tern_optim *sgd = tern_optim_new(m, "SGD(lr=0.1)");
    double first = 0, last = 0;
    for (int i = 0; i < 20; i++) {
        tern_scope scope = tern_scope_begin(ctx, 0);
        tern_value out = tern_module_call(m, args, 2, tern_none());
        cr_assert_eq(out.kind, TERN_VALUE_TENSOR, "%s", tern_error(ctx));
        tern_tensor *loss = tern_mse_loss(out.as.tensor, tern_ones_like(out.as.tensor), TERN_MEAN);
        tern_optim_zero_grad(sgd);
        tern_backward(loss);
        tern_optim_step(sgd);
        last = tern_item(loss);
        if (i == 0) first = last;
        tern_scope_end(scope);
    }
    CHECK_CLEAN();
    cr_assert(last < 0.5 * first, "%g, then %g", first, last);
}
