/* describe.c: what a launch is called in a profile. */
#include <stdio.h>
#include <string.h>

#include "core/call/launch.h"
#include "core/tensor/tensor.h"
#include "profile.h"

/* Appends, and cuts what does not fit. */
static size_t append(char *text, size_t used, size_t size, const char *more) {
    int length = snprintf(text + used, size - used, "%s", more);
    used += length > 0 ? (size_t)length : 0;
    return used < size ? used : size - 1;
}

/* The steps of a program by name: the first few tell what it is. */
static void append_steps(char *text, size_t used, const tern_map_attrs *program) {
    enum { SHOWN = 6 };
    const tern_map_step *steps = tern_map_steps(program);
    for (int i = 0; i < program->n_steps && i <= SHOWN; i++) {
        const char *name = i < SHOWN ? tern_kernel_member(steps[i].family, steps[i].fn) : "...";
        used = append(text, used, PROFILE_NAME, i ? ", " : " ");
        used = append(text, used, PROFILE_NAME, name ? name : "copy");
    }
}

void profile_name(int32_t kernel, const void *attrs, uint32_t attrs_size, char *out_text) {
    size_t used = append(out_text, 0, PROFILE_NAME, tern_kernel_name(kernel));
    int32_t fn = 0;
    if (kernel == TERN_KERNEL_MAP)
        append_steps(out_text, used, attrs);
    else if (kernel == TERN_KERNEL_MATMUL_MAP)
        append_steps(out_text, used, &((const tern_matmul_map_attrs *)attrs)->program);
    else if (kernel == TERN_KERNEL_CONV_MAP)
        append_steps(out_text, used, &((const tern_conv_map_attrs *)attrs)->program);
    else if (attrs && attrs_size >= sizeof fn) {
        memcpy(&fn, attrs, sizeof fn); /* of a family with members its attributes begin with it */
        const char *member = tern_kernel_member(kernel, fn);
        if (member)
            append(out_text, append(out_text, used, PROFILE_NAME, " "), PROFILE_NAME, member);
    }
}

static size_t append_shapes(char *text, size_t used, const tern_operand *operands, int32_t count) {
    enum { SHOWN = 6 };
    char shape[TERN_SHAPE_TEXT];
    for (int32_t i = 0; i < count && i <= SHOWN; i++) {
        used = append(text, used, PROFILE_DETAIL, i ? ", " : "");
        used = append(text, used, PROFILE_DETAIL,
                      i == SHOWN ? "..."
                                 : tern_shape_text(operands[i].rank, operands[i].shape, shape));
    }
    return used;
}

void profile_detail(const tern_operand *inputs, int32_t n_inputs, const tern_operand *outputs,
                    int32_t n_outputs, char *out_text) {
    out_text[0] = '\0';
    const tern_operand *first = n_outputs ? outputs : inputs;
    if (n_inputs + n_outputs == 0) return;
    size_t used = append(out_text, 0, PROFILE_DETAIL, tern_dtype_name((tern_dtype)first->dtype));
    used = append(out_text, used, PROFILE_DETAIL, " ");
    used = append_shapes(out_text, used, inputs, n_inputs);
    used = append(out_text, used, PROFILE_DETAIL, n_inputs ? " -> " : "-> ");
    append_shapes(out_text, used, outputs, n_outputs);
}
