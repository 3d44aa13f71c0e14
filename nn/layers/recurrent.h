/*
 * recurrent.h: what whole sequences (recurrent.c) and single cells (cell.c) share. The formulas are those
 * of the operations _recurrent and _recurrent_step.
 */
#ifndef TERN_NN_RECURRENT_H
#define TERN_NN_RECURRENT_H

#include "layers.h"

typedef enum tern_cell_kind {
    TERN_CELL_TANH,
    TERN_CELL_RELU,
    TERN_CELL_LSTM,
    TERN_CELL_GRU
} tern_cell_kind;

/* Biases are NULL where there are none; projection [proj_size, hidden] is LSTM's alone, or NULL. */
typedef struct tern_cell_weights {
    tern_tensor *input, *hidden, *input_bias, *hidden_bias, *projection;
} tern_cell_weights;

/* Rows of a weight matrix for each hidden unit: 1, 4 (LSTM: i, f, g, o) or 3 (GRU: r, z, n). */
int64_t tern_cell_gates(tern_cell_kind kind);

/* The cell's name in the operations: "lstm". */
tern_value tern_cell_name(tern_cell_kind kind);

/*
 * The next hidden state, [N, H] or [H], from the input's share of the gates (W_ih x + b_ih) and the
 * state before. *cell is LSTM's cell state and is replaced; NULL for the others.
 */
tern_tensor *tern_cell_step(tern_module *self, tern_cell_kind kind, tern_tensor *gates,
                            const tern_cell_weights *weights, tern_tensor *hidden,
                            tern_tensor **cell);

#endif
