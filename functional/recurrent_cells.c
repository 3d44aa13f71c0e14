/*
 * recurrent_cells.c: the formulas of recurrent cells, for layers and for single steps.
 *
 *     LSTM   Hochreiter, Schmidhuber: Long short-term memory. Neural Computation 9, 1997; the forget gate
 *            is Gers, Schmidhuber, Cummins, 2000
 *     GRU    Cho et al.: Learning phrase representations using RNN encoder-decoder for statistical machine
 *            translation. EMNLP 2014; r behind the product, as in cuDNN and PyTorch
 *
 * The gradients are the chain rule over the steps above them, with dh what comes from the step after and
 * dy from the output; the derivatives of s = sigmoid(x) and t = tanh(x) are s (1 - s) and 1 - t^2.
 */
#include <stdio.h>
#include <string.h>

#include "core/ops/compose.h"
#include "programs/made.h"
#include "programs/run.h"
#include "recurrent.h"

static const tern_cell cells[] = {
    {"lstm",
     TERN_RECURRENT_LSTM,
     4,
     4,
     true,
     true,
     false,
     {"a0 a1 a2 a3 m0 m1 m2 m3 c",
      "i = sigmoid(a0 + m0); f = sigmoid(a1 + m1); g = tanh(a2 + m2); o = sigmoid(a3 + m3);"
      "e = f * c + i * g; h = o * tanh(e);",
      "h e i f g o"},
     /* c: after the step, b: before it */
     {"dh dy dc i f g o c b",
      "e = dh + dy; t = tanh(c); s = dc + e * o * (1 - t * t);"
      "a0 = s * g * (i * (1 - i)); a1 = s * b * (f * (1 - f)); a2 = s * i * (1 - g * g);"
      "a3 = e * t * (o * (1 - o)); db = s * f;",
      "a0 a1 a2 a3 db"}},
    {"gru",
     TERN_RECURRENT_GRU,
     3,
     4,
     false,
     true,
     true,
     {"a0 a1 a2 m0 m1 m2 h",
      "r = sigmoid(a0 + m0); z = sigmoid(a1 + m1); q = tanh(a2 + r * m2); n = (h - q) * z + q;",
      "n r z q m2"},
     {"dh dy r z q m b",
      "e = dh + dy; a2 = e * (1 - z) * (1 - q * q); m2 = a2 * r; a0 = a2 * m * (r * (1 - r));"
      "a1 = e * (b - q) * (z * (1 - z)); db = e * z;",
      "a0 a1 a2 a0 a1 m2 db"}},
    {"tanh",
     TERN_RECURRENT_TANH,
     1,
     0,
     false,
     false,
     false,
     {"a m", "h = tanh(a + m);", "h"},
     {"dh dy h", "a = (dh + dy) * (1 - h * h);", "a"}},
    {"relu",
     TERN_RECURRENT_RELU,
     1,
     0,
     false,
     false,
     false,
     {"a m", "h = relu(a + m);", "h"},
     {"dh dy h", "a = where(h > 0, dh + dy, 0);", "a"}},
};

const tern_cell *tern_cell_named(const char *name) {
    for (size_t k = 0; k < sizeof cells / sizeof cells[0]; k++)
        if (strcmp(cells[k].name, name) == 0) return &cells[k];
    return NULL;
}

const tern_cell *tern_cell_of(const tern_opcall *call) {
    const char *name = tern_arg_text(call, 0, "");
    const tern_cell *cell = tern_cell_named(name);
    if (!cell)
        tern_call_fail(call, TERN_ERR_ARGUMENT,
                       "unknown recurrent cell '%s': use lstm, gru, tanh or relu", name);
    return cell;
}

/* ---- programs -------------------------------------------------------------------------------- */

static int read_names(const char *text, tern_program_name *out_names) {
    int count = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        out_names[count] = (tern_program_name){text, length, (int16_t)count, false};
        count++;
        text += length + strspn(text + length, " ");
    }
    return count;
}

int tern_cell_results(const tern_cell *cell, tern_cell_part part) {
    int states = 1 + cell->keeps_cells;
    if (part == TERN_CELL_STATES) return states;
    if (part == TERN_CELL_STEP) return states + cell->kept;
    return cell->gates * (cell->splits_gates ? 2 : 1) + cell->takes_state;
}

/* Each result is the formula of all parts that ends in its name; a part that is there is used again. */
static bool make(tern_ctx *ctx, const tern_cell_formula *formula, int n_results,
                 tern_program *out) {
    tern_program_name names[TERN_P_INPUTS];
    char text[512], message[200];
    const char *output = formula->outputs;
    int n_names = read_names(formula->inputs, names);
    tern_program_begin(out, n_names, TERN_P_FORMULA_STEPS);
    for (int k = 0; k < n_results; k++) {
        int length = (int)strcspn(output, " ");
        snprintf(text, sizeof text, "%s%.*s", formula->parts, length, output);
        int16_t value = tern_program_parse(out, text, names, n_names, message, sizeof message);
        if (value < 0)
            return tern_fail(ctx, TERN_ERR_UNSUPPORTED, "'%s': %s", text, message) == TERN_OK;
        out->outputs[out->n_outputs++] = value;
        output += (size_t)length + strspn(output + length, " ");
    }
    return true;
}

tern_value tern_cell_program(tern_ctx *ctx, const tern_cell *cell, tern_cell_part part,
                             tern_dtype compute) {
    const tern_cell_formula *formula = part == TERN_CELL_GRADIENT ? &cell->gradient : &cell->step;
    const tern_made_key key = {{formula->parts, formula->outputs, formula->inputs},
                               TERN_MADE_CELL | (uint32_t)part << 8 | (uint32_t)compute};
    if (ctx->status != TERN_OK) return tern_none();
    const tern_made_program *made = tern_made_formula(ctx, &key);
    if (made) return tern_made_value(made);
    tern_program *program = tern_program_new(ctx);
    if (!program || !make(ctx, formula, tern_cell_results(cell, part), program)) return tern_none();
    return tern_made_keep(ctx, &key, tern_program_finish(ctx, program, compute),
                          tern_program_traits_of(program));
}

/* ---- a single step --------------------------------------------------------------------------- */

/* The next h, and LSTM's next c, from the two shares of the gates, [.., k h], and the state before. */
tern_value tern_op__recurrent_step(tern_opcall *call) {
    const tern_cell *cell = tern_cell_of(call);
    tern_tensor *operands[2 * TERN_CELL_GATES + 1];
    int count = 0;
    if (!cell) return tern_none();
    int64_t size = tern_size(tern_arg_tensor(call, 2), -1) / cell->gates;
    for (int side = 1; side <= 2; side++)
        for (int k = 0; k < cell->gates; k++)
            operands[count++] = tern_narrow(tern_arg_tensor(call, side), -1, k * size, size);
    if (cell->takes_state) operands[count++] = tern_arg_tensor(call, 3);
    int n_results = tern_cell_results(cell, TERN_CELL_STATES);
    tern_dtype dtype = BODY(tern_arg_tensor(call, 1))->dtype;
    const int64_t dtypes[] = {(int64_t)dtype, (int64_t)dtype};
    tern_value program =
        tern_cell_program(call->ctx, cell, TERN_CELL_STATES, tern_wide_dtype(dtype));
    if (call->ctx->status != TERN_OK) return tern_none();
    tern_tensor *states[2];
    if (!tern_program_apply(call->ctx, program, dtypes, n_results, operands, count, states))
        return tern_none();
    return n_results == 1 ? ARG_TENSOR(states[0])
                          : tern_tensors_value(call->ctx, states, n_results);
}
