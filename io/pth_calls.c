/* pth_calls.c: the arguments of each function that a .pth file may call. */
#include "pth_calls.h"

#include <string.h>

#include "utf8.h"

#define OTHER "a constructor has wrong arguments"

static bool is_sequence(const tern_pnode *node) {
    return node->kind == TERN_P_LIST || node->kind == TERN_P_TUPLE;
}

static bool is_text(const tern_pnode *node) {
    return node->kind == TERN_P_TEXT && tern_is_utf8(node->as.bytes, node->length);
}

static bool is_one_of(const tern_pnode *node, const char *const *names) {
    if (node->kind != TERN_P_TEXT) return false;
    for (; *names; names++)
        if (strlen(*names) == node->length && memcmp(*names, node->as.bytes, node->length) == 0)
            return true;
    return false;
}

/* ---- dicts ----------------------------------------------------------------------------------- */

/* [(key, value), ...], as Python 2 pickled an OrderedDict, or a dict. */
static bool is_pairs(const tern_pnode *node) {
    if (node->kind == TERN_P_DICT) return true;
    if (!is_sequence(node)) return false;
    for (size_t i = 0; i < node->length; i++)
        if (!is_sequence(node->as.items[i]) || node->as.items[i]->length != 2) return false;
    return true;
}

/* What a dict's call was given: NULL for none, and for a dict that stands for itself. */
static const tern_pnode *given(const tern_pnode *dict) {
    const tern_pnode *arguments = dict->kind == TERN_P_CALL ? dict->as.items[1] : NULL;
    return arguments && arguments->length ? arguments->as.items[0] : NULL;
}

static size_t count_given(const tern_pnode *from) {
    if (!from) return 0;
    return from->kind == TERN_P_DICT ? from->length / 2 : from->length;
}

size_t tern_pth_pairs(const tern_pnode *dict) {
    size_t first = dict->kind == TERN_P_CALL ? 2 : 0;
    return count_given(given(dict)) + (dict->length - first) / 2;
}

void tern_pth_pair(const tern_pnode *dict, size_t index, tern_pnode **out_key,
                   tern_pnode **out_value) {
    const tern_pnode *from = given(dict);
    size_t before = count_given(from), at = dict->kind == TERN_P_CALL ? 2 : 0;
    tern_pnode *const *pair;
    if (index >= before)
        pair = dict->as.items + at + 2 * (index - before);
    else if (from->kind == TERN_P_DICT)
        pair = from->as.items + 2 * index;
    else
        pair = from->as.items[index]->as.items;
    *out_key = pair[0];
    *out_value = pair[1];
}

static const char *dict_fault(const tern_pnode *call, const tern_pnode *arguments) {
    bool ordered = call->as.items[0]->as.known == TERN_G_ORDERED_DICT;
    if (arguments->length > 1) return OTHER;
    if (arguments->length == 1 &&
        !(ordered ? is_pairs(arguments->as.items[0]) : arguments->as.items[0]->kind == TERN_P_DICT))
        return ordered ? "an OrderedDict is made from something other than pairs" : OTHER;
    if (!call->built) return NULL;
    if (!ordered) return "an item is set on something other than a dict";
    return call->built->kind == TERN_P_DICT ? NULL : "a dict's attributes are not a dict";
}

/* ---- small things ---------------------------------------------------------------------------- */

/* set(), set([...]) */
static const char *set_fault(const tern_pnode *arguments) {
    if (arguments->length == 0) return NULL;
    const tern_pnode *from = arguments->as.items[0];
    return arguments->length == 1 && (is_sequence(from) || from->kind == TERN_P_SET) ? NULL : OTHER;
}

/* Size((2, 3)) */
static const char *size_fault(const tern_pnode *arguments) {
    if (arguments->length != 1 || !is_sequence(arguments->as.items[0])) return OTHER;
    const tern_pnode *sizes = arguments->as.items[0];
    for (size_t i = 0; i < sizes->length; i++)
        if (sizes->as.items[i]->kind != TERN_P_INT) return OTHER;
    return NULL;
}

tern_pth_codec tern_pth_codec_of(const tern_pnode *name) {
    static const char *const latin1[] = {"latin1", "latin-1", "iso-8859-1", NULL};
    static const char *const utf8[] = {"utf-8", "utf8", NULL};
    return is_one_of(name, latin1) ? TERN_CODEC_LATIN1
           : is_one_of(name, utf8) ? TERN_CODEC_UTF8
                                   : TERN_CODEC_NONE;
}

/* _codecs.encode(text, 'latin1') */
static const char *encode_fault(const tern_pnode *arguments) {
    if (arguments->length != 2 || !is_text(arguments->as.items[0]) ||
        arguments->as.items[1]->kind != TERN_P_TEXT)
        return "bytes are not written as text";
    return tern_pth_codec_of(arguments->as.items[1]) == TERN_CODEC_NONE
               ? "bytes are written in an encoding that is neither latin1 nor utf-8"
               : NULL;
}

/* bytes(), bytearray(), bytearray(bytes), where bytes may be the call of encode */
static const char *bytes_fault(const tern_pnode *arguments) {
    if (arguments->length == 0) return NULL;
    const tern_pnode *from = arguments->as.items[0];
    bool encoded = from->kind == TERN_P_CALL && from->as.items[0]->as.known == TERN_G_ENCODE;
    return arguments->length == 1 && (from->kind == TERN_P_BYTES || encoded) ? NULL : OTHER;
}

/* device('cpu'), device('cuda', 0) */
static const char *device_fault(const tern_pnode *arguments) {
    const tern_pnode *const *items = (const tern_pnode *const *)arguments->as.items;
    bool indexed = arguments->length == 2 && items[1]->kind == TERN_P_INT;
    bool named = (arguments->length == 1 || indexed) && is_text(items[0]) && items[0]->length <= 32;
    return named ? NULL : "a device has no valid name";
}

static const char *layout_fault(const tern_pnode *arguments) {
    static const char *const names[] = {"torch.strided",    "torch.sparse_coo", "torch.sparse_csr",
                                        "torch.sparse_csc", "torch.sparse_bsr", "torch.sparse_bsc",
                                        "torch._mkldnn",    "torch.jagged",     NULL};
    return arguments->length == 1 && is_one_of(arguments->as.items[0], names)
               ? NULL
               : "a layout has no valid name";
}

/* complex(1.0, 2.0) */
static const char *complex_fault(const tern_pnode *arguments) {
    bool good = arguments->length <= 2;
    for (size_t i = 0; good && i < arguments->length; i++)
        good = arguments->as.items[i]->kind == TERN_P_FLOAT ||
               arguments->as.items[i]->kind == TERN_P_INT;
    return good ? NULL : OTHER;
}

/* ---- tensors --------------------------------------------------------------------------------- */

/*
 * _rebuild_tensor(storage, offset, sizes, strides), _v2(..., requires_grad, hooks[, metadata]),
 * _v3(..., requires_grad, hooks, dtype[, metadata])
 */
static const char *tensor_fault(const tern_pnode *arguments, int version) {
    size_t least = version == 1 ? 4 : version == 2 ? 6 : 7, most = version == 1 ? 4 : least + 1;
    tern_pnode *const *items = arguments->as.items;
    bool good = arguments->length >= least && arguments->length <= most &&
                items[1]->kind == TERN_P_INT && (version == 1 || items[4]->kind == TERN_P_BOOL);
    return good ? NULL : "a tensor has wrong arguments";
}

/* _rebuild_parameter(tensor, requires_grad, hooks), _with_state(..., state) */
static const char *parameter_fault(const tern_pnode *arguments, size_t count) {
    bool good = arguments->length == count && arguments->as.items[1]->kind == TERN_P_BOOL;
    return good ? NULL : "a parameter has wrong arguments";
}

static bool makes_tensor(const tern_pnode *function) {
    int known = function->kind == TERN_P_GLOBAL ? function->as.known : -1;
    return (known >= TERN_G_TENSOR_V1 && known <= TERN_G_PARAMETER_STATE) ||
           known >= TERN_G_UNSUPPORTED;
}

static const char *fault_of(int function, const tern_pnode *call, const tern_pnode *arguments);

/* _rebuild_from_type_v2(function, class, arguments, state) */
static const char *from_type_fault(const tern_pnode *call, const tern_pnode *arguments) {
    tern_pnode *const *items = arguments->as.items;
    if (arguments->length != 4 || !makes_tensor(items[0]) || items[1]->kind != TERN_P_GLOBAL ||
        items[1]->as.known != TERN_G_TENSOR_CLASS || items[2]->kind != TERN_P_TUPLE)
        return "a tensor of another class is made in an unknown way";
    return fault_of(items[0]->as.known, call, items[2]);
}

/* ---- all ------------------------------------------------------------------------------------- */

static const char *fault_of(int function, const tern_pnode *call, const tern_pnode *arguments) {
    switch (function) {
    case TERN_G_ORDERED_DICT:
    case TERN_G_COUNTER: return dict_fault(call, arguments);
    case TERN_G_SET: return set_fault(arguments);
    case TERN_G_SIZE: return size_fault(arguments);
    case TERN_G_BYTES: return bytes_fault(arguments);
    case TERN_G_ENCODE: return encode_fault(arguments);
    case TERN_G_DEVICE: return device_fault(arguments);
    case TERN_G_LAYOUT: return layout_fault(arguments);
    case TERN_G_TENSOR_V1: return tensor_fault(arguments, 1);
    case TERN_G_TENSOR_V2: return tensor_fault(arguments, 2);
    case TERN_G_TENSOR_V3: return tensor_fault(arguments, 3);
    case TERN_G_PARAMETER: return parameter_fault(arguments, 3);
    case TERN_G_PARAMETER_STATE: return parameter_fault(arguments, 4);
    case TERN_G_FROM_TYPE: return from_type_fault(call, arguments);
    case TERN_G_SCRIPT_CLASS: return arguments->length == 0 ? NULL : OTHER;
    case TERN_G_SCRIPT_LIST: return arguments->length == 1 ? NULL : OTHER;
    case TERN_G_SCRIPT_TAGGED: return arguments->length == 2 ? NULL : OTHER;
    case TERN_G_COMPLEX: return complex_fault(arguments);
    default: break;
    }
    return function >= TERN_G_UNSUPPORTED ? NULL : "an unknown class is called";
}

const char *tern_pth_call_fault(const tern_pnode *call) {
    int function = call->as.items[0]->as.known;
    bool is_dict = function == TERN_G_ORDERED_DICT || function == TERN_G_COUNTER;
    bool has_state = is_dict || function == TERN_G_SCRIPT_CLASS;
    if ((call->length > 2 && !is_dict) || (call->built && !has_state))
        return "an item is set on something other than a dict";
    return fault_of(function, call, call->as.items[1]);
}
