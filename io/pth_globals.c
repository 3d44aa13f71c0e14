/* pth_globals.c: the table of names, in four parts. Storages of other devices than the CPU have modules
 * of their own. */
#include "pth_globals.h"

#define STORAGE(name, dtype)                                                                       \
    {"torch", name "Storage", TERN_G_STORAGE + (dtype)}, {                                         \
        "torch.*", name "Storage", TERN_G_STORAGE + (dtype)                                        \
    }
#define DTYPE(name, dtype)                                                                         \
    { "torch", name, TERN_G_DTYPE + (dtype) }
#define BUILTIN(name, number)                                                                      \
    {"builtins", name, number}, {                                                                  \
        "__builtin__", name, number                                                                \
    }

const tern_pglobal tern_pth_globals[] = {
    {"collections", "OrderedDict", TERN_G_ORDERED_DICT},
    {"collections", "Counter", TERN_G_COUNTER},
    {"_codecs", "encode", TERN_G_ENCODE},
    BUILTIN("set", TERN_G_SET),
    BUILTIN("frozenset", TERN_G_SET),
    BUILTIN("bytes", TERN_G_BYTES),
    BUILTIN("bytearray", TERN_G_BYTES),
    {"torch", "Size", TERN_G_SIZE},
    {"torch", "device", TERN_G_DEVICE},
    {"torch", "Tensor", TERN_G_TENSOR_CLASS},
    {"torch.nn.parameter", "Parameter", TERN_G_TENSOR_CLASS},
    {"torch._utils", "_rebuild_tensor", TERN_G_TENSOR_V1},
    {"torch._utils", "_rebuild_tensor_v2", TERN_G_TENSOR_V2},
    {"torch._utils", "_rebuild_tensor_v3", TERN_G_TENSOR_V3},
    {"torch._utils", "_rebuild_parameter", TERN_G_PARAMETER},
    {"torch._utils", "_rebuild_parameter_with_state", TERN_G_PARAMETER_STATE},
    {"torch._tensor", "_rebuild_from_type_v2", TERN_G_FROM_TYPE},
    {"torch.tensor", "_rebuild_from_type_v2", TERN_G_FROM_TYPE},
    {"torch.serialization", "_get_layout", TERN_G_LAYOUT},
    {"torch.jit._pickle", "build_intlist", TERN_G_SCRIPT_LIST},
    {"torch.jit._pickle", "build_doublelist", TERN_G_SCRIPT_LIST},
    {"torch.jit._pickle", "build_boollist", TERN_G_SCRIPT_LIST},
    {"torch.jit._pickle", "build_tensorlist", TERN_G_SCRIPT_LIST},
    {"torch.jit._pickle", "restore_type_tag", TERN_G_SCRIPT_TAGGED},

    STORAGE("Float", TERN_FLOAT32),
    STORAGE("Double", TERN_FLOAT64),
    STORAGE("Half", TERN_FLOAT16),
    STORAGE("BFloat16", TERN_BFLOAT16),
    STORAGE("Long", TERN_INT64),
    STORAGE("Int", TERN_INT32),
    STORAGE("Short", TERN_INT16),
    STORAGE("Char", TERN_INT8),
    STORAGE("Byte", TERN_UINT8),
    STORAGE("Bool", TERN_BOOL),
    STORAGE("ComplexFloat", TERN_COMPLEX64),
    STORAGE("ComplexDouble", TERN_COMPLEX128),
    {"torch.storage", "UntypedStorage", TERN_G_UNTYPED},

    DTYPE("float32", TERN_FLOAT32),
    DTYPE("float64", TERN_FLOAT64),
    DTYPE("float16", TERN_FLOAT16),
    DTYPE("bfloat16", TERN_BFLOAT16),
    DTYPE("int64", TERN_INT64),
    DTYPE("int32", TERN_INT32),
    DTYPE("int16", TERN_INT16),
    DTYPE("int8", TERN_INT8),
    DTYPE("uint8", TERN_UINT8),
    DTYPE("bool", TERN_BOOL),
    DTYPE("complex64", TERN_COMPLEX64),
    DTYPE("complex128", TERN_COMPLEX128),

    {"torch", "complex32", TERN_G_UNSUPPORTED + 0},
    {"torch", "uint16", TERN_G_UNSUPPORTED + 1},
    {"torch", "uint32", TERN_G_UNSUPPORTED + 2},
    {"torch", "uint64", TERN_G_UNSUPPORTED + 3},
    {"torch", "float8_e4m3fn", TERN_G_UNSUPPORTED + 4},
    {"torch", "float8_e4m3fnuz", TERN_G_UNSUPPORTED + 5},
    {"torch", "float8_e5m2", TERN_G_UNSUPPORTED + 6},
    {"torch", "float8_e5m2fnuz", TERN_G_UNSUPPORTED + 7},
    {"torch", "float8_e8m0fnu", TERN_G_UNSUPPORTED + 8},
    {"torch", "float4_e2m1fn_x2", TERN_G_UNSUPPORTED + 9},
    {"torch", "QInt8Storage", TERN_G_UNSUPPORTED + 10},
    {"torch", "QUInt8Storage", TERN_G_UNSUPPORTED + 10},
    {"torch", "QInt32Storage", TERN_G_UNSUPPORTED + 10},
    {"torch._utils", "_rebuild_qtensor", TERN_G_UNSUPPORTED + 10},
    {"torch._utils", "_rebuild_sparse_tensor", TERN_G_UNSUPPORTED + 11},
    {"torch._utils", "_rebuild_sparse_csr_tensor", TERN_G_UNSUPPORTED + 11},
    {"torch._utils", "_rebuild_nested_tensor", TERN_G_UNSUPPORTED + 12},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", TERN_G_UNSUPPORTED + 13},
    BUILTIN("complex", TERN_G_COMPLEX),
};

const size_t tern_pth_n_globals = sizeof tern_pth_globals / sizeof *tern_pth_globals;

/* What Tern has nothing for, by number; size 0: no plain elements. */
static const struct {
    const char *name;
    uint32_t size;
} unsupported[] = {{"complex32", 4},      {"uint16", 2},
                   {"uint32", 4},         {"uint64", 8},
                   {"float8_e4m3fn", 1},  {"float8_e4m3fnuz", 1},
                   {"float8_e5m2", 1},    {"float8_e5m2fnuz", 1},
                   {"float8_e8m0fnu", 1}, {"float4_e2m1fn_x2", 1},
                   {"quantized", 0},      {"sparse", 0},
                   {"nested", 0},         {"meta (without data)", 0},
                   {"complex number", 0}};
enum { N_UNSUPPORTED = sizeof unsupported / sizeof *unsupported };

const char *tern_pth_unsupported(int number) {
    int index = number - TERN_G_UNSUPPORTED;
    return index >= 0 && index < N_UNSUPPORTED ? unsupported[index].name : "?";
}

bool tern_pth_type_of(int known, tern_pth_type *out_type) {
    int index = known - TERN_G_UNSUPPORTED;
    if (index >= 0) {
        if (index >= N_UNSUPPORTED || unsupported[index].size == 0) return false;
        *out_type =
            (tern_pth_type){unsupported[index].name, TERN_DTYPE_DEFAULT, unsupported[index].size};
        return true;
    }
    index = known - (known >= TERN_G_DTYPE ? TERN_G_DTYPE : TERN_G_STORAGE);
    tern_dtype dtype = (tern_dtype)index;
    if (index < 0 || tern_dtype_size(dtype) == 0) return false;
    *out_type = (tern_pth_type){tern_dtype_name(dtype), dtype, (uint32_t)tern_dtype_size(dtype)};
    return true;
}
