/*
 * tern/value.h: tern_value: the type that represents JSON, pickles, PyTorch's text notation, state
 * dicts, checkpoints and the arguments of calls by name.
 *
 * A value is 16 bytes and passed by value. Strings, lists, dicts and tensors refer to objects owned
 * by a scope (the one that was open when they were made), so values are never freed. Lists, dicts,
 * tensors and generators are handles: using one after its scope has ended latches TERN_ERR_STATE.
 * Strings and integer arrays (as.s, as.ints) are plain pointers, which are not checked. A NULL
 * list, dict or text, the result of a failed call, counts as empty. Functions that allocate latch
 * an error and return none if memory is exhausted.
 */
#ifndef TERN_VALUE_H
#define TERN_VALUE_H

#include "tern/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a value is. */
typedef enum tern_kind {
    TERN_VALUE_NONE = 0,
    TERN_VALUE_BOOL,
    TERN_VALUE_INT,
    TERN_VALUE_FLOAT,
    TERN_VALUE_STRING,
    TERN_VALUE_INTS, /* a list of integers by reference: a shape passed to an operation */
    TERN_VALUE_LIST,
    TERN_VALUE_TUPLE,
    TERN_VALUE_DICT, /* ordered, keys of any scalar kind */
    TERN_VALUE_TENSOR,
    TERN_VALUE_DTYPE,
    TERN_VALUE_GENERATOR
} tern_kind;

typedef struct tern_list tern_list;
typedef struct tern_dict tern_dict;

/* A value; see above for what it refers to. */
typedef struct tern_value {
    tern_kind kind;
    uint32_t length; /* bytes of a string (it may hold zero bytes), count of INTS */
    union {
        bool b;
        int64_t i;
        double f;
        const char *s; /* UTF-8, always terminated by a zero byte */
        const int64_t *ints;
        tern_list *list; /* of LIST and TUPLE */
        tern_dict *dict;
        tern_tensor *tensor;
        tern_dtype dtype;
        tern_generator *generator;
    } as;
} tern_value;

/* ---- making ---------------------------------------------------------------------------------- */

/* None. */
static inline tern_value tern_none(void) {
    tern_value v = {TERN_VALUE_NONE, 0, {0}};
    return v;
}

/* True or False. */
static inline tern_value tern_bool(bool b) {
    tern_value v = {TERN_VALUE_BOOL, 0, {0}};
    v.as.b = b;
    return v;
}

/* An integer. */
static inline tern_value tern_int(int64_t i) {
    tern_value v = {TERN_VALUE_INT, 0, {0}};
    v.as.i = i;
    return v;
}

/* A number. */
static inline tern_value tern_float(double f) {
    tern_value v = {TERN_VALUE_FLOAT, 0, {0}};
    v.as.f = f;
    return v;
}

/* A dtype. */
static inline tern_value tern_dtype_value(tern_dtype dtype) {
    tern_value v = {TERN_VALUE_DTYPE, 0, {0}};
    v.as.dtype = dtype;
    return v;
}
/* NULL becomes none. */
static inline tern_value tern_tensor_value(tern_tensor *tensor) {
    tern_value v = {tensor ? TERN_VALUE_TENSOR : TERN_VALUE_NONE, 0, {0}};
    v.as.tensor = tensor;
    return v;
}

/* A generator; NULL becomes none. */
static inline tern_value tern_generator_value(tern_generator *generator) {
    tern_value v = {generator ? TERN_VALUE_GENERATOR : TERN_VALUE_NONE, 0, {0}};
    v.as.generator = generator;
    return v;
}
/* Refers to the caller's integers: they must live as long as the value is used. */
static inline tern_value tern_ints(const int64_t *ints, size_t count) {
    tern_value v = {TERN_VALUE_INTS, (uint32_t)count, {0}};
    v.as.ints = ints;
    return v;
}
/* Refers to the caller's text (for example a literal); tern_string copies it. */
TERN_API tern_value tern_text(const char *literal);

/* Copies the text into the open scope. */
TERN_API tern_value tern_string(tern_ctx *ctx, const char *text);

/* The same for `length` bytes, which may hold zero bytes. */
TERN_API tern_value tern_string_n(tern_ctx *ctx, const char *bytes, size_t length);

/* An empty list in the open scope. */
TERN_API tern_value tern_list_new(tern_ctx *ctx);

/* An empty tuple in the open scope; tern_list_append fills it. */
TERN_API tern_value tern_tuple_new(tern_ctx *ctx);

/* A dict. `ordered` makes it a collections.OrderedDict, which pickle distinguishes from a dict. */
TERN_API tern_value tern_dict_new(tern_ctx *ctx, bool ordered);

/* ---- lists and tuples ------------------------------------------------------------------------ */

/* The number of elements of a list, tuple or INTS, entries of a dict, bytes of a string; 0 for
 * other kinds. */
TERN_API size_t tern_value_count(tern_value value);

/* The index-th element of a list, tuple or INTS; none if the index is out of range. */
TERN_API tern_value tern_value_at(tern_value list, size_t index);

/* list.append(item), also of a tuple that is being filled. */
TERN_API tern_status tern_list_append(tern_value list, tern_value item);

/* list[index] = item; an index out of range is an error. */
TERN_API tern_status tern_list_set(tern_value list, size_t index, tern_value item);

/* ---- dicts ----------------------------------------------------------------------------------- */

/* The entry of a text key; none if it is absent (use tern_dict_has to tell an absent entry from
 * None). */
TERN_API tern_value tern_dict_get(tern_value dict, const char *key);

/* Whether there is an entry of that key. */
TERN_API bool tern_dict_has(tern_value dict, const char *key);

/* Sets or replaces; a new key goes last. The text of a new key is copied. */
TERN_API tern_status tern_dict_set(tern_value dict, const char *key, tern_value item);

/* The entry of any key; none if it is absent. */
TERN_API tern_value tern_dict_get_value(tern_value dict, tern_value key);
/* The same for any key; a string key is not copied. As in Python, 1, 1.0 and True are the same key.
 */
TERN_API tern_status tern_dict_set_value(tern_value dict, tern_value key, tern_value item);

/* The index-th entry in order; false past the end. */
TERN_API bool tern_dict_at(tern_value dict, size_t index, tern_value *out_key,
                           tern_value *out_item);

/* Whether it is a collections.OrderedDict. */
TERN_API bool tern_dict_is_ordered(tern_value dict);

/* The attributes that pickle's BUILD set on the dict (a state dict's "_metadata"), a dict or none.
 */
TERN_API tern_value tern_dict_attributes(tern_value dict);

/* Sets the attributes: a dict or none. */
TERN_API tern_status tern_dict_set_attributes(tern_value dict, tern_value attributes);

/* ---- reading --------------------------------------------------------------------------------- */

/* "int", "list", ...: the kind's name in error messages. */
TERN_API const char *tern_kind_name(tern_kind kind);

/* True for INT, FLOAT and BOOL. */
TERN_API bool tern_value_is_number(tern_value value);

/* The number as a double or as an integer (a float is truncated and saturates, NaN gives 0); 0 for
 * other kinds. */
TERN_API double tern_value_as_double(tern_value value);

/* The number as an integer: a float is cut off and limited to 64 bits, NaN gives 0. */
TERN_API int64_t tern_value_as_int(tern_value value);

/* Equal kind and content. Tensors and generators compare by identity, NaN equals NaN, and the order
 * of entries matters between two OrderedDicts only. */
TERN_API bool tern_value_equal(tern_value a, tern_value b);

/*
 * The value as Python's repr() writes it: True, 0.01, 'text', [1, 2], (3,), {'a': 1}, tensors as
 * they print. Like snprintf, returns the length without the final zero; `size` may be 0.
 */
TERN_API size_t tern_value_repr(tern_value value, char *out_text, size_t size);

/* A float as Python's repr(float): the shortest text that reads back equal ("0.1", "1e-05",
 * "inf"). `out_text` needs 32 bytes. */
TERN_API void tern_format_double(double value, char *out_text);

/* Parses a Python number of `length` bytes as an INT ("-3") or a FLOAT ("0.5", "1e-05", "inf",
 * "nan"), independent of the locale. False for anything else and for an int beyond 64 bits. */
TERN_API bool tern_number_parse(const char *text, size_t length, tern_value *out_number);

#ifdef __cplusplus
}
#endif

#endif
