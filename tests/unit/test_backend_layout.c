/*
 * The plugin ABI does not change by accident: sizes, offsets and numbers of tern/backend.h and its part
 * tern/backend_fused.h equal those of the checked-in file tests/backends/layout.txt. A struct grows at its end; an id keeps its number.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tern/backend.h"

typedef struct field {
    const char *name;
    size_t offset, size;
} field;

#define STRUCT(type)                                                                               \
    { #type, SIZE_MAX, sizeof(type) }
#define FIELD(type, field)                                                                         \
    { #type "." #field, offsetof(type, field), sizeof(((type *)0)->field) }

static const field fields[] = {
    STRUCT(tern_backend_error),
    FIELD(tern_backend_error, message),
    STRUCT(tern_operand),
    FIELD(tern_operand, buffer),
    FIELD(tern_operand, at),
    FIELD(tern_operand, dtype),
    FIELD(tern_operand, rank),
    FIELD(tern_operand, shape),
    FIELD(tern_operand, strides),
    FIELD(tern_operand, flags),
    FIELD(tern_operand, layout),
    FIELD(tern_operand, extension),
    FIELD(tern_operand, stamp),
    STRUCT(tern_fill_attrs),
    FIELD(tern_fill_attrs, f),
    FIELD(tern_fill_attrs, i),
    STRUCT(tern_unary_attrs),
    FIELD(tern_unary_attrs, fn),
    FIELD(tern_unary_attrs, reserved),
    STRUCT(tern_binary_attrs),
    FIELD(tern_binary_attrs, fn),
    FIELD(tern_binary_attrs, reserved),
    FIELD(tern_binary_attrs, alpha),
    FIELD(tern_binary_attrs, alpha_i),
    STRUCT(tern_ternary_attrs),
    FIELD(tern_ternary_attrs, fn),
    FIELD(tern_ternary_attrs, reserved),
    FIELD(tern_ternary_attrs, value),
    FIELD(tern_ternary_attrs, value_i),
    STRUCT(tern_reduce_attrs),
    FIELD(tern_reduce_attrs, fn),
    FIELD(tern_reduce_attrs, dims),
    FIELD(tern_reduce_attrs, value),
    STRUCT(tern_scan_attrs),
    FIELD(tern_scan_attrs, fn),
    FIELD(tern_scan_attrs, dim),
    STRUCT(tern_sort_attrs),
    FIELD(tern_sort_attrs, dim),
    FIELD(tern_sort_attrs, descending),
    STRUCT(tern_matmul_attrs),
    FIELD(tern_matmul_attrs, alpha),
    FIELD(tern_matmul_attrs, beta),
    FIELD(tern_matmul_attrs, alpha_i),
    FIELD(tern_matmul_attrs, beta_i),
    STRUCT(tern_index_attrs),
    FIELD(tern_index_attrs, dim),
    FIELD(tern_index_attrs, reduce),
    FIELD(tern_index_attrs, alpha),
    FIELD(tern_index_attrs, alpha_i),
    STRUCT(tern_multi_index_attrs),
    FIELD(tern_multi_index_attrs, first),
    FIELD(tern_multi_index_attrs, count),
    FIELD(tern_multi_index_attrs, reduce),
    FIELD(tern_multi_index_attrs, reserved),
    STRUCT(tern_conv_attrs),
    FIELD(tern_conv_attrs, spatial),
    FIELD(tern_conv_attrs, groups),
    FIELD(tern_conv_attrs, stride),
    FIELD(tern_conv_attrs, padding),
    FIELD(tern_conv_attrs, dilation),
    STRUCT(tern_pool_attrs),
    FIELD(tern_pool_attrs, spatial),
    FIELD(tern_pool_attrs, count_include_pad),
    FIELD(tern_pool_attrs, kernel),
    FIELD(tern_pool_attrs, stride),
    FIELD(tern_pool_attrs, padding),
    FIELD(tern_pool_attrs, dilation),
    FIELD(tern_pool_attrs, divisor),
    STRUCT(tern_resize_attrs),
    FIELD(tern_resize_attrs, spatial),
    FIELD(tern_resize_attrs, mode),
    FIELD(tern_resize_attrs, align_corners),
    FIELD(tern_resize_attrs, reserved),
    FIELD(tern_resize_attrs, scale),
    STRUCT(tern_softmax_attrs),
    FIELD(tern_softmax_attrs, dim),
    FIELD(tern_softmax_attrs, reserved),
    STRUCT(tern_norm_attrs),
    FIELD(tern_norm_attrs, fn),
    FIELD(tern_norm_attrs, dims),
    FIELD(tern_norm_attrs, affine),
    FIELD(tern_norm_attrs, reserved),
    FIELD(tern_norm_attrs, eps),
    STRUCT(tern_norm_grad_attrs),
    FIELD(tern_norm_grad_attrs, fn),
    FIELD(tern_norm_grad_attrs, dims),
    FIELD(tern_norm_grad_attrs, affine),
    FIELD(tern_norm_grad_attrs, wants),
    STRUCT(tern_cross_entropy_attrs),
    FIELD(tern_cross_entropy_attrs, fn),
    FIELD(tern_cross_entropy_attrs, reduction),
    FIELD(tern_cross_entropy_attrs, weighted),
    FIELD(tern_cross_entropy_attrs, reserved),
    FIELD(tern_cross_entropy_attrs, ignore_index),
    FIELD(tern_cross_entropy_attrs, smoothing),
    STRUCT(tern_attention_attrs),
    FIELD(tern_attention_attrs, scale),
    FIELD(tern_attention_attrs, causal),
    FIELD(tern_attention_attrs, masked),
    STRUCT(tern_embedding_grad_attrs),
    FIELD(tern_embedding_grad_attrs, padding),
    FIELD(tern_embedding_grad_attrs, by_frequency),
    FIELD(tern_embedding_grad_attrs, reserved),
    STRUCT(tern_matmul_map_attrs),
    FIELD(tern_matmul_map_attrs, product),
    FIELD(tern_matmul_map_attrs, n_operands),
    FIELD(tern_matmul_map_attrs, reserved),
    FIELD(tern_matmul_map_attrs, program),
    STRUCT(tern_conv_map_attrs),
    FIELD(tern_conv_map_attrs, product),
    FIELD(tern_conv_map_attrs, n_operands),
    FIELD(tern_conv_map_attrs, reserved),
    FIELD(tern_conv_map_attrs, program),
    STRUCT(tern_recurrent_attrs),
    FIELD(tern_recurrent_attrs, fn),
    FIELD(tern_recurrent_attrs, biased),
    FIELD(tern_recurrent_attrs, reverse),
    FIELD(tern_recurrent_attrs, reserved),
    STRUCT(tern_map_step),
    FIELD(tern_map_step, family),
    FIELD(tern_map_step, fn),
    FIELD(tern_map_step, source),
    STRUCT(tern_map_constant),
    STRUCT(tern_map_attrs),
    FIELD(tern_map_attrs, compute),
    FIELD(tern_map_attrs, n_inputs),
    FIELD(tern_map_attrs, n_outputs),
    FIELD(tern_map_attrs, n_constants),
    FIELD(tern_map_attrs, n_steps),
    STRUCT(tern_kernel_query),
    FIELD(tern_kernel_query, struct_size),
    FIELD(tern_kernel_query, kernel),
    FIELD(tern_kernel_query, fn),
    FIELD(tern_kernel_query, n_inputs),
    FIELD(tern_kernel_query, n_outputs),
    FIELD(tern_kernel_query, attrs_size),
    FIELD(tern_kernel_query, input_dtypes),
    FIELD(tern_kernel_query, output_dtypes),
    STRUCT(tern_plan_query),
    FIELD(tern_plan_query, struct_size),
    FIELD(tern_plan_query, kernel),
    FIELD(tern_plan_query, fn),
    FIELD(tern_plan_query, n_inputs),
    FIELD(tern_plan_query, n_outputs),
    FIELD(tern_plan_query, attrs_size),
    FIELD(tern_plan_query, inputs),
    FIELD(tern_plan_query, outputs),
    FIELD(tern_plan_query, attrs),
    STRUCT(tern_host),
    FIELD(tern_host, struct_size),
    FIELD(tern_host, abi),
    FIELD(tern_host, alloc),
    FIELD(tern_host, free),
    FIELD(tern_host, log),
    FIELD(tern_host, thread_count),
    FIELD(tern_host, parallel_for),
    STRUCT(tern_device_info),
    FIELD(tern_device_info, struct_size),
    FIELD(tern_device_info, type),
    FIELD(tern_device_info, name),
    FIELD(tern_device_info, identity),
    FIELD(tern_device_info, memory_bytes),
    STRUCT(tern_bdevice_vtable),
    FIELD(tern_bdevice_vtable, struct_size),
    FIELD(tern_bdevice_vtable, alignment),
    FIELD(tern_bdevice_vtable, speed),
    FIELD(tern_bdevice_vtable, reserved),
    FIELD(tern_bdevice_vtable, largest_allocation),
    FIELD(tern_bdevice_vtable, suballocation),
    FIELD(tern_bdevice_vtable, planned),
    FIELD(tern_bdevice_vtable, close),
    FIELD(tern_bdevice_vtable, buffer_alloc),
    FIELD(tern_bdevice_vtable, buffer_free),
    FIELD(tern_bdevice_vtable, buffer_import),
    FIELD(tern_bdevice_vtable, memory_info),
    FIELD(tern_bdevice_vtable, host_alloc),
    FIELD(tern_bdevice_vtable, host_free),
    FIELD(tern_bdevice_vtable, copy_to_device),
    FIELD(tern_bdevice_vtable, copy_to_host),
    FIELD(tern_bdevice_vtable, copy_between),
    FIELD(tern_bdevice_vtable, queue_create),
    FIELD(tern_bdevice_vtable, queue_destroy),
    FIELD(tern_bdevice_vtable, queue_synchronize),
    FIELD(tern_bdevice_vtable, event_create),
    FIELD(tern_bdevice_vtable, event_destroy),
    FIELD(tern_bdevice_vtable, event_record),
    FIELD(tern_bdevice_vtable, event_wait),
    FIELD(tern_bdevice_vtable, event_synchronize),
    FIELD(tern_bdevice_vtable, event_query),
    FIELD(tern_bdevice_vtable, take_error),
    FIELD(tern_bdevice_vtable, skip_flag),
    FIELD(tern_bdevice_vtable, supports),
    FIELD(tern_bdevice_vtable, launch),
    FIELD(tern_bdevice_vtable, prepare),
    FIELD(tern_bdevice_vtable, launch_plan),
    FIELD(tern_bdevice_vtable, plan_free),
    FIELD(tern_bdevice_vtable, replay_begin),
    FIELD(tern_bdevice_vtable, replay_end),
    FIELD(tern_bdevice_vtable, replay_free),
    STRUCT(tern_bdevice),
    FIELD(tern_bdevice, vtable),
    STRUCT(tern_backend_desc),
    FIELD(tern_backend_desc, struct_size),
    FIELD(tern_backend_desc, abi),
    FIELD(tern_backend_desc, name),
    FIELD(tern_backend_desc, version),
    FIELD(tern_backend_desc, build_id),
    FIELD(tern_backend_desc, sanitizers),
    FIELD(tern_backend_desc, speed),
    FIELD(tern_backend_desc, can_unload),
    FIELD(tern_backend_desc, device_count),
    FIELD(tern_backend_desc, device_info),
    FIELD(tern_backend_desc, device_open),
    FIELD(tern_backend_desc, shutdown),
    FIELD(tern_backend_desc, tell_libraries),
};

/* The text so far; the file is far shorter. */
typedef struct text {
    char bytes[65536];
    size_t length;
} text;

static void add_fields(text *t) {
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const field *f = &fields[i];
        char *at = t->bytes + t->length;
        size_t room = sizeof t->bytes - t->length;
        int written = f->offset == SIZE_MAX ? snprintf(at, room, "%s size %zu\n", f->name, f->size)
                                            : snprintf(at, room, "%s offset %zu size %zu\n",
                                                       f->name, f->offset, f->size);
        t->length += (size_t)written;
    }
}

/* Every "TERN_NAME = number" of the header, as it stands there. */
static void add_numbers(text *t, const char *header) {
    for (const char *at = strstr(header, "TERN_"); at; at = strstr(at + 5, "TERN_")) {
        size_t length = 0;
        while (isupper((unsigned char)at[length]) || isdigit((unsigned char)at[length]) ||
               at[length] == '_') {
            length++;
        }
        if (strncmp(at + length, " = ", 3) != 0 || !isdigit((unsigned char)at[length + 3]))
            continue;
        long number = strtol(at + length + 3, NULL, 10);
        t->length += (size_t)snprintf(t->bytes + t->length, sizeof t->bytes - t->length,
                                      "%.*s = %ld\n", (int)length, at, number);
    }
}

static void read_file(const char *name, text *out) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", TERN_TEST_SOURCE, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s does not open", path);
    out->length = fread(out->bytes, 1, sizeof out->bytes - 1, file);
    out->bytes[out->length] = 0;
    fclose(file);
}

/* Where the environment asks for it, the file is written anew: after a change that was meant. */
static void update(const text *actual) {
    const char *path = getenv("TERN_WRITE_LAYOUT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fwrite(actual->bytes, 1, actual->length, file);
    fclose(file);
}

Test(backend_layout, equals_the_checked_in_file) {
    static text actual, header, expected;
    if (sizeof(void *) != 8) cr_skip_test("the file is for 64-bit machines");
    actual.length = 0;
    add_fields(&actual);
    read_file("include/tern/backend.h", &header);
    add_numbers(&actual, header.bytes);
    read_file("include/tern/backend_fused.h", &header);
    add_numbers(&actual, header.bytes);
    update(&actual);
    read_file("tests/backends/layout.txt", &expected);
    size_t same = 0, line = 0;
    while (same < actual.length && actual.bytes[same] == expected.bytes[same]) {
        if (actual.bytes[same++] == '\n') line = same;
    }
    cr_assert(same == actual.length && same == expected.length,
              "the ABI differs from layout.txt: '%.*s' was '%.*s'",
              (int)strcspn(actual.bytes + line, "\n"), actual.bytes + line,
              (int)strcspn(expected.bytes + line, "\n"), expected.bytes + line);
    cr_assert(strstr(actual.bytes, "tern_operand.strides offset 32 size 8\n"));
    cr_assert(strstr(actual.bytes, "TERN_KERNEL_NORM = 130\n"));
}
