/*
 * tern/describe.h: field tables: which member of a C struct holds which argument of a schema.
 *
 * A module, an optimizer, a scheduler and an initialiser each have one line of PyTorch's notation
 * (schema.h) and one table of fields. The typed C constructors fill the struct directly; calls by
 * name, text notation and printing go through the table:
 *
 *     typedef struct blur { tern_module module; int64_t radius; double sigma; } blur;
 *     static const tern_field blur_fields[] = {
 *         TERN_FIELD(blur, radius, radius), TERN_FIELD(blur, sigma, sigma), TERN_FIELD_END};
 *     ... "Blur(int radius, float sigma=1.0)"
 *
 * Given NULL for a text, a table, a struct or a buffer, a function with a result latches an error
 * and returns false or none; any other function does nothing.
 */
#ifndef TERN_DESCRIBE_H
#define TERN_DESCRIBE_H

#include "tern/context.h"
#include "tern/schema.h"
#include "tern/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- member types ---------------------------------------------------------------------------- */

/* Arguments that may be None. */
typedef struct tern_optional_int {
    bool has;
    int64_t value;
} tern_optional_int;

/* A number that may be None. */
typedef struct tern_optional_float {
    bool has;
    double value;
} tern_optional_float;

/* True, False or None. */
typedef struct tern_optional_bool {
    bool has, value;
} tern_optional_bool;

/* A pair such as betas=(0.9, 0.999). */
typedef struct tern_pair {
    double first, second;
} tern_pair;

/* A pair whose first may be None: eps=(None, 0.001). */
typedef struct tern_optional_pair {
    tern_optional_float first;
    double second;
} tern_optional_pair;

/* Three numbers such as ns_coefficients=(3.4445, -4.775, 2.0315). */
typedef struct tern_triple {
    double first, second, third;
} tern_triple;

/* Lists of any length by reference (milestones). The constructor copies what it keeps. */
typedef struct tern_int_list {
    const int64_t *items;
    size_t count;
} tern_int_list;

/* A list of numbers by reference. */
typedef struct tern_float_list {
    const double *items;
    size_t count;
} tern_float_list;

/* The type of a struct's member, and so of an argument. */
typedef enum tern_field_type {
    TERN_FIELD_INT,            /* int64_t */
    TERN_FIELD_BOOL,           /* bool */
    TERN_FIELD_FLOAT,          /* double */
    TERN_FIELD_TEXT,           /* const char *, NULL is None */
    TERN_FIELD_DTYPE,          /* tern_dtype, TERN_DTYPE_DEFAULT is None */
    TERN_FIELD_SHAPE,          /* tern_shape: a tuple of ints */
    TERN_FIELD_REDUCTION,      /* tern_reduction: 'none', 'mean', 'sum' */
    TERN_FIELD_OPTIONAL_INT,   /* tern_optional_int */
    TERN_FIELD_OPTIONAL_FLOAT, /* tern_optional_float */
    TERN_FIELD_OPTIONAL_BOOL,  /* tern_optional_bool */
    TERN_FIELD_PAIR,           /* tern_pair */
    TERN_FIELD_OPTIONAL_PAIR,  /* tern_optional_pair */
    TERN_FIELD_TRIPLE,         /* tern_triple */
    TERN_FIELD_INT_LIST,       /* tern_int_list */
    TERN_FIELD_FLOAT_LIST,     /* tern_float_list */
    TERN_FIELD_TENSOR,         /* tern_tensor *, NULL is None */
    TERN_FIELD_GENERATOR,      /* tern_generator *, NULL is None */
    TERN_FIELD_VALUE           /* tern_value: anything */
} tern_field_type;

/* One argument: its name, and which member of the struct holds it. */
typedef struct tern_field {
    const char *name; /* the argument's, as the schema spells it; NULL ends a table */
    tern_field_type type;
    size_t offset;
} tern_field;

/* The field type follows from the member's C type; a member of any other type does not compile. */
/* clang-format off */
#define TERN_FIELD_TYPE(member)                                                                    \
    _Generic((member),                                                                             \
        int64_t: TERN_FIELD_INT,                                                                   \
        bool: TERN_FIELD_BOOL,                                                                     \
        double: TERN_FIELD_FLOAT,                                                                  \
        const char *: TERN_FIELD_TEXT,                                                             \
        tern_dtype: TERN_FIELD_DTYPE,                                                              \
        tern_shape: TERN_FIELD_SHAPE,                                                              \
        tern_reduction: TERN_FIELD_REDUCTION,                                                      \
        tern_optional_int: TERN_FIELD_OPTIONAL_INT,                                                \
        tern_optional_float: TERN_FIELD_OPTIONAL_FLOAT,                                            \
        tern_optional_bool: TERN_FIELD_OPTIONAL_BOOL,                                              \
        tern_pair: TERN_FIELD_PAIR,                                                                \
        tern_optional_pair: TERN_FIELD_OPTIONAL_PAIR,                                              \
        tern_triple: TERN_FIELD_TRIPLE,                                                            \
        tern_int_list: TERN_FIELD_INT_LIST,                                                        \
        tern_float_list: TERN_FIELD_FLOAT_LIST,                                                    \
        tern_tensor *: TERN_FIELD_TENSOR,                                                          \
        tern_generator *: TERN_FIELD_GENERATOR,                                                    \
        tern_value: TERN_FIELD_VALUE)
/* clang-format on */
#define TERN_FIELD(struct_type, argument, member)                                                  \
    { #argument, TERN_FIELD_TYPE(((struct_type *)0)->member), offsetof(struct_type, member) }
#define TERN_FIELD_END                                                                             \
    { NULL, TERN_FIELD_INT, 0 }

/* ---- growing text ---------------------------------------------------------------------------- */

/* Text that grows as it is written: for messages and printing. Initialise it with zeros; `failed`
 * is set, and stays set, if memory is exhausted. */
typedef struct tern_textbuf {
    char *data; /* terminated by a zero byte; NULL while empty */
    size_t length, capacity;
    bool failed;
} tern_textbuf;

/* Appends formatted text, as printf. */
TERN_API void tern_textbuf_add(tern_textbuf *text, const char *format, ...) TERN_PRINTF(2, 3);

/* Appends bytes. */
TERN_API void tern_textbuf_add_n(tern_textbuf *text, const char *bytes, size_t length);

/* The value as Python's repr writes it, or, if `str` is true, as Python's str does: a text without
 * its quotes. */
TERN_API void tern_textbuf_add_value(tern_textbuf *text, tern_value value, bool str);

/* Cuts the text back to an earlier length. */
TERN_API void tern_textbuf_cut(tern_textbuf *text, size_t length);

/* Frees the text; the struct can be used again. */
TERN_API void tern_textbuf_free(tern_textbuf *text);

/* ---- arguments of a function ----------------------------------------------------------------- */

/* If an argument that a function needs (a text, an array, a callback) is NULL, latches an error
 * ("tern_nn_class: name is NULL") and returns false. */
TERN_API bool tern_argument_given(tern_ctx *ctx, const char *who, const char *name,
                                  const void *argument);

/* If the tensor is nil, NULL or of another context, latches an error that names `who` and returns
 * false. */
TERN_API bool tern_argument_tensor(tern_ctx *ctx, const char *who, const tern_tensor *tensor);

/* ---- options structs ------------------------------------------------------------------------- */

/*
 * Copies a caller's options over `out_options`, which holds the defaults and whose first member is
 * its size. The size in the caller's struct says which members the caller knows. NULL keeps the
 * defaults. If the size is 0 or too large, because the struct did not start from its initialiser
 * macro, latches an error that names `who` and returns false.
 */
TERN_API bool tern_options_read(tern_ctx *ctx, const char *who, const void *options,
                                void *out_options);

/* ---- values and structs ---------------------------------------------------------------------- */

/* The field of an argument; NULL if the table has none. `fields` may be NULL. */
TERN_API const tern_field *tern_field_find(const tern_field *fields, const char *name);

/* The member as a value. Lists are copied into the open scope. */
TERN_API tern_value tern_field_get(tern_ctx *ctx, const tern_field *field, const void *object);

/*
 * Sets the member from a value. If the value does not fit, returns false and leaves the object
 * unchanged. A text is not copied (see tern_fields_own); a list is copied into the open scope.
 */
TERN_API bool tern_field_set(tern_ctx *ctx, const tern_field *field, void *object,
                             tern_value value);

/* Copies the texts and lists that members refer to into the open scope. False if memory is
 * exhausted. */
TERN_API bool tern_fields_own(tern_ctx *ctx, const tern_field *fields, void *object);

/*
 * Binds arguments to the schema and writes them to the object's members. Latches
 * "WHERE: Linear: missing argument 'out_features' (int)" and returns false on failure; `where` may
 * be NULL. Arguments without a field are checked and dropped.
 */
TERN_API bool tern_fields_bind(tern_ctx *ctx, const char *where, const char *schema,
                               const tern_field *fields, const tern_value *positional,
                               int n_positional, tern_value named, void *object);

/*
 * The value of an argument as PyTorch prints it: like tern_field_get, except that a number equal to
 * the schema's default is of the default's kind (momentum=0 prints 0, not 0.0).
 */
TERN_API tern_value tern_field_shown(tern_ctx *ctx, const tern_schema *schema,
                                     const tern_field *field, const void *object);

/* ---- PyTorch's text notation ----------------------------------------------------------------- */

/*
 * Reads one expression of PyTorch's notation: "SGD(lr=0.01, momentum=0.9)",
 * "Sequential(Flatten(), Linear(784, 256))" or what print(model) shows:
 *
 *     Sequential(
 *       (0): Linear(in_features=1, out_features=8, bias=True)
 *       (1-2): 2 x ReLU()
 *     )
 *
 * Literals are numbers, True, False, None, 'text' and "text", tuples, lists and torch.float32. A
 * call becomes a dict {"module": name, "positional": list, "args": dict of named arguments,
 * "children": ordered dict, "line": int, "column": int}; a leading "nn." or "torch.nn." is dropped.
 * `what` names the expression in messages, which give the column ("tern_nn: column 14: expected ','
 * or ')', found '}'"). At most 64 levels of nesting. None after latching an error.
 */
TERN_API tern_value tern_notation_parse(tern_ctx *ctx, const char *what, const char *text);

#define TERN_NOTATION_DEPTH 64

#ifdef __cplusplus
}
#endif

#endif
