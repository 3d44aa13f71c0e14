/* eval.c: formulas over one number, as schedulers have them. */
#include <math.h>
#include <stdio.h>

#include "defined.h"
#include "tern/formula.h"
#include "tern/memory.h"

bool tern_formula_eval(const char *formula, double epoch, double *out_value, char *out_message,
                       size_t message_size) {
    char own[1];
    if (!out_message || !message_size) {
        out_message = own;
        message_size = sizeof own;
    }
    *out_message = '\0';
    if (!formula || !out_value) {
        snprintf(out_message, message_size, "%s is NULL", formula ? "out_value" : "the formula");
        return false;
    }
    /* Its only name is a number, so that all of it is, at once. */
    *out_value = (double)NAN;
    tern_program *program = tern_alloc(sizeof *program);
    if (!program) {
        snprintf(out_message, message_size, "out of memory");
        return false;
    }
    tern_program_begin(program, 0, 0);
    tern_program_name name = {"epoch", 5, tern_program_number(program, epoch), false};
    int16_t value = tern_program_parse_with(program, formula, &name, 1, tern_defined_find,
                                            out_message, message_size);
    bool done = value >= 0 && tern_program_is_constant(program, value, out_value);
    tern_free(program);
    return done;
}
