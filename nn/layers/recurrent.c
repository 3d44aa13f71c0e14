/* recurrent.c: RNN, LSTM and GRU over sequences: layers, directions, projections. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "recurrent.h"

typedef struct recurrent {
    tern_module module;
    int64_t input_size, hidden_size, num_layers, proj_size;
    bool bias_wanted, batch_first, bidirectional;
    double dropout;
    const char *nonlinearity, *device;
    tern_dtype dtype;
    tern_cell_kind kind;
    tern_cell_weights *weights; /* one a layer and direction, the reverse one second */
} recurrent;

static const tern_field fields[] = {
    TERN_FIELD(recurrent, input_size, input_size),
    TERN_FIELD(recurrent, hidden_size, hidden_size),
    TERN_FIELD(recurrent, num_layers, num_layers),
    TERN_FIELD(recurrent, proj_size, proj_size),
    TERN_FIELD(recurrent, bias, bias_wanted),
    TERN_FIELD(recurrent, batch_first, batch_first),
    TERN_FIELD(recurrent, bidirectional, bidirectional),
    TERN_FIELD(recurrent, dropout, dropout),
    TERN_FIELD(recurrent, nonlinearity, nonlinearity),
    TERN_FIELD(recurrent, device, device),
    TERN_FIELD(recurrent, dtype, dtype),
    TERN_FIELD_END,
};

/* ---- making ---------------------------------------------------------------------------------- */

static int64_t directions(const recurrent *m) {
    return m->bidirectional ? 2 : 1;
}

/* What a direction gives to the next step and layer. */
static int64_t output_size(const recurrent *m) {
    return m->proj_size ? m->proj_size : m->hidden_size;
}

static void draw_one(tern_module *self, const char *what, int64_t layer, bool reverse,
                     tern_shape shape, tern_tensor **out) {
    const recurrent *m = (recurrent *)self;
    char name[64];
    snprintf(name, sizeof name, "%s_l%lld%s", what, (long long)layer, reverse ? "_reverse" : "");
    *out = tern_layer_uniform(self, name, shape, m->dtype, 1.0 / sqrt((double)m->hidden_size));
    tern_module_member(self, name, out);
}

static void draw(tern_module *self, int64_t layer, bool reverse, tern_cell_weights *out) {
    const recurrent *m = (recurrent *)self;
    int64_t rows = tern_cell_gates(m->kind) * m->hidden_size;
    int64_t width = layer == 0 ? m->input_size : output_size(m) * directions(m);
    draw_one(self, "weight_ih", layer, reverse, TERN_SHAPE(rows, width), &out->input);
    draw_one(self, "weight_hh", layer, reverse, TERN_SHAPE(rows, output_size(m)), &out->hidden);
    if (m->bias_wanted) {
        draw_one(self, "bias_ih", layer, reverse, TERN_SHAPE(rows), &out->input_bias);
        draw_one(self, "bias_hh", layer, reverse, TERN_SHAPE(rows), &out->hidden_bias);
    }
    if (m->proj_size)
        draw_one(self, "weight_hr", layer, reverse, TERN_SHAPE(m->proj_size, m->hidden_size),
                 &out->projection);
}

static tern_status init(tern_module *self, tern_cell_kind kind) {
    recurrent *m = (recurrent *)self;
    tern_ctx *ctx = tern_module_context(self);
    m->kind = kind;
    if (!tern_layer_positive(self, "hidden_size", m->hidden_size) ||
        !tern_layer_positive(self, "num_layers", m->num_layers))
        return TERN_ERR_ARGUMENT;
    if (!(m->dropout >= 0 && m->dropout <= 1))
        return tern_fail(ctx, TERN_ERR_ARGUMENT,
                         "%s: dropout should be a number in range [0, 1] representing the "
                         "probability of an element being zeroed",
                         tern_module_name(self));
    if (m->proj_size < 0 || m->proj_size >= m->hidden_size)
        return tern_fail(
            ctx, TERN_ERR_ARGUMENT, "%s: proj_size=%lld has to be smaller than hidden_size=%lld",
            tern_module_name(self), (long long)m->proj_size, (long long)m->hidden_size);
    if (m->num_layers > 4096)
        return tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: num_layers=%lld is more than 4096",
                         tern_module_name(self), (long long)m->num_layers);
    m->weights =
        tern_scope_alloc(ctx, (size_t)(m->num_layers * directions(m)) * sizeof *m->weights);
    for (int64_t i = 0; m->weights && i < m->num_layers * directions(m); i++)
        draw(self, i / directions(m), i % directions(m) == 1, &m->weights[i]);
    return TERN_OK;
}

static tern_status rnn_init(tern_module *self) {
    const char *name = ((recurrent *)self)->nonlinearity;
    if (strcmp(name, "tanh") == 0) return init(self, TERN_CELL_TANH);
    if (strcmp(name, "relu") == 0) return init(self, TERN_CELL_RELU);
    return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                     "RNN: Unknown nonlinearity '%s'. Select from 'tanh' or 'relu'.", name);
}

static tern_status lstm_init(tern_module *self) {
    return init(self, TERN_CELL_LSTM);
}

static tern_status gru_init(tern_module *self) {
    return init(self, TERN_CELL_GRU);
}

/* ---- forward --------------------------------------------------------------------------------- */

/* A sequence in flight: states are [layers * directions, N, size], final ones one tensor each. */
typedef struct sequence {
    tern_module *self;
    const recurrent *m;
    tern_tensor *x;                         /* [T, N, width] */
    tern_tensor *hidden, *cell;             /* at the start */
    tern_tensor **last_hidden, **last_cell; /* [N, size], layers * directions of each */
} sequence;

/* With a projection, step by step. */
static tern_tensor *run_projected(sequence *s, int64_t index, bool reverse) {
    const tern_cell_weights *w = &s->m->weights[index];
    tern_ctx *ctx = tern_module_context(s->self);
    int64_t count = tern_size(s->x, 0);
    tern_tensor *gates = tern_linear(s->x, w->input, w->input_bias);
    tern_tensor *hidden = tern_select(s->hidden, 0, index);
    tern_tensor *cell = tern_select(s->cell, 0, index);
    tern_tensor **steps = tern_scope_alloc(ctx, (size_t)count * sizeof *steps);
    if (!steps) return tern_nil(ctx);
    for (int64_t i = 0; i < count; i++) {
        int64_t t = reverse ? count - 1 - i : i;
        hidden = tern_cell_step(s->self, s->m->kind, tern_select(gates, 0, t), w, hidden, &cell);
        steps[t] = hidden;
    }
    s->last_hidden[index] = hidden;
    s->last_cell[index] = cell;
    return tern_stack(steps, (int)count, 0);
}

/* One layer in one direction: [T, N, width] to [T, N, size]. */
static tern_tensor *run_direction(sequence *s, int64_t index, bool reverse) {
    const tern_cell_weights *w = &s->m->weights[index];
    if (w->projection) return run_projected(s, index, reverse);
    tern_value operands = tern_list_new(tern_module_context(s->self));
    tern_list_append(operands, tern_tensor_value(s->x));
    tern_list_append(operands, tern_tensor_value(tern_select(s->hidden, 0, index)));
    if (s->cell) tern_list_append(operands, tern_tensor_value(tern_select(s->cell, 0, index)));
    tern_list_append(operands, tern_tensor_value(w->input));
    tern_list_append(operands, tern_tensor_value(w->hidden));
    if (w->input_bias) tern_list_append(operands, tern_tensor_value(w->input_bias));
    if (w->hidden_bias) tern_list_append(operands, tern_tensor_value(w->hidden_bias));
    const tern_value args[] = {tern_cell_name(s->m->kind), tern_bool(reverse), operands};
    tern_value results = tern_module_operation(s->self, "_recurrent", args, 3, tern_none());
    s->last_hidden[index] = tern_layer_tensor(s->self, tern_value_at(results, 1));
    if (s->cell) s->last_cell[index] = tern_layer_tensor(s->self, tern_value_at(results, 2));
    return tern_layer_tensor(s->self, tern_value_at(results, 0));
}

static void run_layers(sequence *s) {
    const recurrent *m = s->m;
    for (int64_t layer = 0; layer < m->num_layers; layer++) {
        int64_t index = layer * directions(m);
        tern_tensor *both[2] = {run_direction(s, index, false), NULL};
        if (m->bidirectional) both[1] = run_direction(s, index + 1, true);
        s->x = m->bidirectional ? tern_cat(both, 2, 2) : both[0];
        if (layer + 1 < m->num_layers)
            s->x = tern_dropout(s->x, m->dropout, tern_module_is_training(s->self));
    }
}

/* The state that was given, as [layers * directions, N, size], or zeros. */
static tern_tensor *start(const sequence *s, tern_value given, bool batched, int64_t size) {
    tern_ctx *ctx = tern_module_context(s->self);
    tern_shape shape = TERN_SHAPE(s->m->num_layers * directions(s->m), tern_size(s->x, 1), size),
               got;
    if (given.kind != TERN_VALUE_TENSOR) return tern_layer_zeros(s->self, s->x, shape);
    tern_tensor *state = batched ? given.as.tensor : tern_unsqueeze(given.as.tensor, 1);
    got = tern_shape_of(state);
    if (tern_shape_equal(&got, &shape)) return state;
    if (!tern_is_nil(state))
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: Expected hidden size (%lld, %lld, %lld) for %s input, got a tensor of %d "
                  "dimensions or other sizes",
                  tern_module_name(s->self), (long long)shape.dim[0], (long long)shape.dim[1],
                  (long long)shape.dim[2], batched ? "batched" : "unbatched",
                  tern_rank(given.as.tensor));
    return tern_nil(ctx);
}

static bool check_input(tern_module *self, const tern_tensor *input) {
    const recurrent *m = (recurrent *)self;
    tern_ctx *ctx = tern_module_context(self);
    int rank = tern_rank(input);
    if (rank != 2 && rank != 3)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: Expected input to be 2D or 3D, got %dD instead",
                  tern_module_name(self), rank);
    else if (tern_size(input, -1) != m->input_size)
        tern_fail(ctx, TERN_ERR_ARGUMENT,
                  "%s: input.size(-1) must be equal to input_size. Expected %lld, got %lld",
                  tern_module_name(self), (long long)m->input_size,
                  (long long)tern_size(input, -1));
    else if (tern_size(input, rank == 3 && m->batch_first ? 1 : 0) == 0)
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%s: Expected sequence length to be larger than 0",
                  tern_module_name(self));
    else
        return true;
    return false;
}

static tern_tensor *stacked(const sequence *s, tern_tensor **states, bool batched) {
    tern_tensor *all = tern_stack(states, (int)(s->m->num_layers * directions(s->m)), 0);
    return batched ? all : tern_squeeze(all, 1);
}

/* (output, h_n), of LSTM (output, (h_n, c_n)). */
static tern_value results(const sequence *s, bool batched) {
    tern_ctx *ctx = tern_module_context(s->self);
    tern_value result = tern_tuple_new(ctx), states = tern_tuple_new(ctx);
    tern_tensor *output = !batched            ? tern_squeeze(s->x, 1)
                          : s->m->batch_first ? tern_transpose(s->x, 0, 1)
                                              : s->x;
    tern_list_append(result, tern_tensor_value(output));
    tern_value hidden = tern_tensor_value(stacked(s, s->last_hidden, batched));
    if (!s->cell) {
        tern_list_append(result, hidden);
        return result;
    }
    tern_list_append(states, hidden);
    tern_list_append(states, tern_tensor_value(stacked(s, s->last_cell, batched)));
    tern_list_append(result, states);
    return result;
}

static tern_value run(tern_module *self, tern_tensor *input, tern_value hidden, tern_value cell) {
    const recurrent *m = (recurrent *)self;
    tern_ctx *ctx = tern_module_context(self);
    if (!check_input(self, input)) return tern_none();
    bool batched = tern_rank(input) == 3;
    tern_tensor *x = !batched         ? tern_unsqueeze(input, 1)
                     : m->batch_first ? tern_transpose(input, 0, 1)
                                      : input;
    size_t count = (size_t)(m->num_layers * directions(m));
    sequence s = {.self = self,
                  .m = m,
                  .x = x,
                  .last_hidden = tern_scope_alloc(ctx, count * sizeof(tern_tensor *)),
                  .last_cell = tern_scope_alloc(ctx, count * sizeof(tern_tensor *))};
    if (!s.last_hidden || !s.last_cell) return tern_none();
    s.hidden = start(&s, hidden, batched, output_size(m));
    if (m->kind == TERN_CELL_LSTM) {
        bool neither = hidden.kind == TERN_VALUE_NONE && cell.kind == TERN_VALUE_NONE;
        s.cell = neither && !m->proj_size ? s.hidden : start(&s, cell, batched, m->hidden_size);
    }
    if (tern_is_nil(s.hidden) || (s.cell && tern_is_nil(s.cell))) return tern_none();
    run_layers(&s);
    return results(&s, batched);
}

static tern_value recurrent_call(tern_module *self, const tern_value *args) {
    return run(self, args[0].as.tensor, args[1], tern_none());
}

static tern_value lstm_call(tern_module *self, const tern_value *args) {
    if (args[1].kind != TERN_VALUE_NONE && tern_value_count(args[1]) != 2) {
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "LSTM: hx must be a pair (h_0, c_0)");
        return tern_none();
    }
    return run(self, args[0].as.tensor, tern_value_at(args[1], 0), tern_value_at(args[1], 1));
}

/* ---- classes --------------------------------------------------------------------------------- */

#define PRINT                                                                                      \
    "input_size hidden_size proj_size=? num_layers=? bias=? batch_first=? dropout=? "              \
    "bidirectional=?"
#define OPTIONS                                                                                    \
    "bool bias=True, bool batch_first=False, float dropout=0.0, bool bidirectional=False"

const tern_module_class tern_rnn_class = {
    TERN_MODULE_CLASS("RNN(int input_size, int hidden_size, int num_layers=1, "
                      "str nonlinearity='tanh', " OPTIONS ", str? device=None, dtype? dtype=None)",
                      recurrent),
    .fields = fields,
    .init = rnn_init,
    .call_schema = "forward(Tensor input, Tensor? hx=None)",
    .call = recurrent_call,
    .print = "input_size hidden_size num_layers=? bias=? batch_first=? dropout=? bidirectional=?",
};

const tern_module_class tern_gru_class = {
    TERN_MODULE_CLASS("GRU(int input_size, int hidden_size, int num_layers=1, " OPTIONS
                      ", str? device=None, dtype? dtype=None)",
                      recurrent),
    .fields = fields,
    .init = gru_init,
    .call_schema = "forward(Tensor input, Tensor? hx=None)",
    .call = recurrent_call,
    .print = "input_size hidden_size num_layers=? bias=? batch_first=? dropout=? bidirectional=?",
};

const tern_module_class tern_lstm_class = {
    TERN_MODULE_CLASS("LSTM(int input_size, int hidden_size, int num_layers=1, " OPTIONS
                      ", int proj_size=0, str? device=None, dtype? dtype=None)",
                      recurrent),
    .fields = fields,
    .init = lstm_init,
    .call_schema = "forward(Tensor input, Tensor[]? hx=None)",
    .call = lstm_call,
    .print = PRINT,
};

/* ---- typed constructors ---------------------------------------------------------------------- */

static tern_module *make(tern_ctx *ctx, const char *who, const tern_module_class *cls,
                         int64_t input_size, int64_t hidden_size,
                         const tern_recurrent_options *options) {
    tern_recurrent_options o = TERN_RECURRENT_OPTIONS;
    if (!tern_options_read(ctx, who, options, &o)) return NULL;
    recurrent config = {.input_size = input_size,
                        .hidden_size = hidden_size,
                        .num_layers = o.num_layers,
                        .proj_size = o.proj_size,
                        .bias_wanted = o.bias,
                        .batch_first = o.batch_first,
                        .bidirectional = o.bidirectional,
                        .dropout = o.dropout,
                        .nonlinearity = o.nonlinearity ? o.nonlinearity : "tanh",
                        .device = o.device,
                        .dtype = o.dtype};
    return tern_module_new(ctx, cls, &config);
}

tern_module *tern_nn_rnn(tern_ctx *ctx, int64_t input_size, int64_t hidden_size,
                         const tern_recurrent_options *options) {
    return make(ctx, "tern_nn_rnn", &tern_rnn_class, input_size, hidden_size, options);
}

tern_module *tern_nn_lstm(tern_ctx *ctx, int64_t input_size, int64_t hidden_size,
                          const tern_recurrent_options *options) {
    return make(ctx, "tern_nn_lstm", &tern_lstm_class, input_size, hidden_size, options);
}

tern_module *tern_nn_gru(tern_ctx *ctx, int64_t input_size, int64_t hidden_size,
                         const tern_recurrent_options *options) {
    return make(ctx, "tern_nn_gru", &tern_gru_class, input_size, hidden_size, options);
}
