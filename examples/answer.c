/*
 * answer.c: a small inference program: loads weights that PyTorch or Tern saved and answers on
 * standard output for each line of numbers on standard input.
 *
 *     answer MODEL.pth "Sequential(Linear(2, 8), Tanh(), Linear(8, 1), Sigmoid())" 2
 *
 * The structure is given in PyTorch's notation, then how many numbers a line holds. A line that does
 * not fit gets an error as its answer, and the program goes on, as a server would.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tern/tern.h"

enum { MAX_INPUTS = 1024, LINE = 16384 };

/* The numbers of a line; latches an error where it does not hold exactly `wanted`. */
static tern_tensor *read_inputs(tern_ctx *ctx, const char *line, int wanted) {
    float numbers[MAX_INPUTS];
    int count = 0;
    for (char *end; count <= wanted; count++, line = end) {
        float number = strtof(line, &end);
        if (end == line) break;
        if (count < wanted) numbers[count] = number;
    }
    while (*line == ' ' || *line == '\n' || *line == '\r') line++;
    if (*line || count != wanted) {
        tern_fail(ctx, TERN_ERR_ARGUMENT, "%d numbers are wanted", wanted);
        return tern_nil(ctx);
    }
    return tern_from_data(ctx, numbers, TERN_SHAPE(1, wanted), TERN_FLOAT32);
}

static void print_outputs(tern_tensor *outputs) {
    for (int64_t i = 0; i < tern_numel(outputs); i++)
        printf("%s%.4f", i ? " " : "", tern_item(tern_select(outputs, 0, i)));
    printf("\n");
}

int main(int argc, char **argv) {
    long given = argc == 4 ? strtol(argv[3], NULL, 10) : 0;
    int wanted = given < 1 || given > MAX_INPUTS ? 0 : (int)given;
    if (!wanted) {
        fprintf(stderr, "usage: answer MODEL.pth NOTATION INPUTS (at most %d)\n", MAX_INPUTS);
        return 2;
    }
    tern_ctx *ctx = tern_open(NULL);
    tern_module *model = tern_nn(ctx, argv[2]);
    tern_module_load(model, argv[1]);
    tern_module_eval(model);
    if (tern_check(ctx)) fprintf(stderr, "answer: %s\n", tern_error(ctx));

    char line[LINE];
    while (tern_check(ctx) == TERN_OK && fgets(line, sizeof line, stdin)) {
        tern_scope request = tern_scope_begin(ctx, TERN_INFERENCE);
        tern_tensor *outputs =
            tern_flatten(tern_forward(model, read_inputs(ctx, line, wanted)), 0, -1);
        if (tern_check(ctx) == TERN_OK) {
            print_outputs(outputs);
        } else {
            printf("error: %s\n", tern_error(ctx));
            tern_error_clear(ctx); /* the next line is answered */
        }
        fflush(stdout);
        tern_scope_end(request);
    }
    return tern_close(ctx) != TERN_OK;
}
