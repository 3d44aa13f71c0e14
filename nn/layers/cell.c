/* cell.c: one step of recurrence: RNNCell, LSTMCell and GRUCell. */
#include <math.h>
#include <string.h>

#include "recurrent.h"

/* ---- a step ---------------------------------------------------------------------------------- */

int64_t tern_cell_gates(tern_cell_kind kind) {
    return kind == TERN_CELL_LSTM ? 4 : kind == TERN_CELL_GRU ? 3 : 1;
}

tern_value tern_cell_name(tern_cell_kind kind) {
    static const char *const names[] = {"tanh", "relu", "lstm", "gru"};
    return tern_text(names[kind]);
}

tern_tensor *tern_cell_step(tern_module *self, tern_cell_kind kind, tern_tensor *gates,
                            const tern_cell_weights *weights, tern_tensor *hidden,
                            tern_tensor **cell) {
    tern_tensor *recurrent = tern_linear(hidden, weights->hidden, weights->hidden_bias);
    bool has_cell = kind == TERN_CELL_LSTM;
    const tern_value args[] = {tern_cell_name(kind), tern_tensor_value(gates),
                               tern_tensor_value(recurrent),
                               tern_tensor_value(has_cell ? *cell : hidden)};
    tern_value next = tern_module_operation(self, "_recurrent_step", args, 4, tern_none());
    if (!has_cell) return tern_layer_tensor(self, next);
    *cell = tern_layer_tensor(self, tern_value_at(next, 1));
    hidden = tern_layer_tensor(self, tern_value_at(next, 0));
    return weights->projection ? tern_linear(hidden, weights->projection, NULL) : hidden;
}

/* ---- modules --------------------------------------------------------------------------------- */

typedef struct cell {
    tern_module module;
    int64_t input_size, hidden_size;
    bool bias_wanted;
    const char *nonlinearity, *device;
    tern_dtype dtype;
    tern_cell_kind kind;
    tern_cell_weights weights;
} cell;

static const tern_field fields[] = {
    TERN_FIELD(cell, input_size, input_size),
    TERN_FIELD(cell, hidden_size, hidden_size),
    TERN_FIELD(cell, bias, bias_wanted),
    TERN_FIELD(cell, nonlinearity, nonlinearity),
    TERN_FIELD(cell, device, device),
    TERN_FIELD(cell, dtype, dtype),
    TERN_FIELD_END,
};

static tern_status draw(tern_module *self, tern_cell_kind kind) {
    cell *m = (cell *)self;
    if (!tern_layer_positive(self, "hidden_size", m->hidden_size)) return TERN_ERR_ARGUMENT;
    int64_t rows = tern_cell_gates(kind) * m->hidden_size;
    double bound = 1.0 / sqrt((double)m->hidden_size);
    tern_shape row = TERN_SHAPE(rows);
    m->kind = kind;
    m->weights.input =
        tern_layer_uniform(self, "weight_ih", TERN_SHAPE(rows, m->input_size), m->dtype, bound);
    m->weights.hidden =
        tern_layer_uniform(self, "weight_hh", TERN_SHAPE(rows, m->hidden_size), m->dtype, bound);
    m->weights.input_bias = m->bias_wanted
                                ? tern_layer_uniform(self, "bias_ih", row, m->dtype, bound)
                                : tern_layer_none(self, "bias_ih", &m->weights.input_bias);
    m->weights.hidden_bias = m->bias_wanted
                                 ? tern_layer_uniform(self, "bias_hh", row, m->dtype, bound)
                                 : tern_layer_none(self, "bias_hh", &m->weights.hidden_bias);
    return TERN_OK;
}

static tern_status rnn_cell_init(tern_module *self) {
    const char *name = ((cell *)self)->nonlinearity;
    if (strcmp(name, "tanh") == 0) return draw(self, TERN_CELL_TANH);
    if (strcmp(name, "relu") == 0) return draw(self, TERN_CELL_RELU);
    return tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                     "RNNCell: Unknown nonlinearity: %s. Use 'tanh' or 'relu'", name);
}

static tern_status lstm_cell_init(tern_module *self) {
    return draw(self, TERN_CELL_LSTM);
}

static tern_status gru_cell_init(tern_module *self) {
    return draw(self, TERN_CELL_GRU);
}

/* input [N, input_size] or [input_size]. */
static bool check_input(tern_module *self, const tern_tensor *input) {
    const cell *m = (cell *)self;
    int rank = tern_rank(input);
    if (rank != 1 && rank != 2)
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "%s: Expected input to be 1D or 2D, got %dD instead", tern_module_name(self),
                  rank);
    else if (tern_size(input, -1) != m->input_size)
        tern_fail(tern_module_context(self), TERN_ERR_ARGUMENT,
                  "%s: input has inconsistent input_size: got %lld expected %lld",
                  tern_module_name(self), (long long)tern_size(input, -1),
                  (long long)m->input_size);
    else
        return true;
    return false;
}

/* A state that was not given is zero. */
static tern_tensor *state_or_zeros(tern_module *self, tern_value state, tern_tensor *input) {
    const cell *m = (cell *)self;
    if (state.kind == TERN_VALUE_TENSOR) return state.as.tensor;
    tern_shape shape = tern_shape_of(input);
    shape.dim[shape.rank - 1] = m->hidden_size;
    return tern_layer_zeros(self, input, shape);
}

static tern_tensor *gates_of(const cell *m, tern_tensor *input) {
    return tern_linear(input, m->weights.input, m->weights.input_bias);
}

static tern_value cell_call(tern_module *self, const tern_value *args) {
    const cell *m = (cell *)self;
    if (!check_input(self, args[0].as.tensor)) return tern_none();
    tern_tensor *hidden = state_or_zeros(self, args[1], args[0].as.tensor);
    return tern_tensor_value(
        tern_cell_step(self, m->kind, gates_of(m, args[0].as.tensor), &m->weights, hidden, NULL));
}

static tern_value lstm_cell_call(tern_module *self, const tern_value *args) {
    const cell *m = (cell *)self;
    tern_ctx *ctx = tern_module_context(self);
    if (!check_input(self, args[0].as.tensor)) return tern_none();
    if (args[1].kind != TERN_VALUE_NONE && tern_value_count(args[1]) != 2) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "LSTMCell: hx must be a pair (h, c)");
        return tern_none();
    }
    tern_tensor *hidden = state_or_zeros(self, tern_value_at(args[1], 0), args[0].as.tensor);
    tern_tensor *state = state_or_zeros(self, tern_value_at(args[1], 1), args[0].as.tensor);
    hidden =
        tern_cell_step(self, m->kind, gates_of(m, args[0].as.tensor), &m->weights, hidden, &state);
    tern_value pair = tern_tuple_new(ctx);
    tern_list_append(pair, tern_tensor_value(hidden));
    tern_list_append(pair, tern_tensor_value(state));
    return pair;
}

const tern_module_class tern_rnn_cell_class = {
    TERN_MODULE_CLASS("RNNCell(int input_size, int hidden_size, bool bias=True, "
                      "str nonlinearity='tanh', str? device=None, dtype? dtype=None)",
                      cell),
    .fields = fields,
    .init = rnn_cell_init,
    .call_schema = "forward(Tensor input, Tensor? hx=None)",
    .call = cell_call,
    .print = "input_size hidden_size bias=? $nonlinearity=?",
};

const tern_module_class tern_gru_cell_class = {
    TERN_MODULE_CLASS("GRUCell(int input_size, int hidden_size, bool bias=True, "
                      "str? device=None, dtype? dtype=None)",
                      cell),
    .fields = fields,
    .init = gru_cell_init,
    .call_schema = "forward(Tensor input, Tensor? hx=None)",
    .call = cell_call,
    .print = "input_size hidden_size bias=?",
};

const tern_module_class tern_lstm_cell_class = {
    TERN_MODULE_CLASS("LSTMCell(int input_size, int hidden_size, bool bias=True, "
                      "str? device=None, dtype? dtype=None)",
                      cell),
    .fields = fields,
    .init = lstm_cell_init,
    .call_schema = "forward(Tensor input, Tensor[]? hx=None)",
    .call = lstm_cell_call,
    .print = "input_size hidden_size bias=?",
};
