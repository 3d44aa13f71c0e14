/* pth_globals.h: the functions and classes that a .pth file may name. */
#ifndef TERN_IO_PTH_GLOBALS_H
#define TERN_IO_PTH_GLOBALS_H

#include "pickle_reader.h"

enum {
    TERN_G_ORDERED_DICT,
    TERN_G_COUNTER,
    TERN_G_SET,
    TERN_G_BYTES,
    TERN_G_ENCODE,
    TERN_G_SIZE,
    TERN_G_DEVICE,
    TERN_G_TENSOR_V1,
    TERN_G_TENSOR_V2,
    TERN_G_TENSOR_V3,
    TERN_G_PARAMETER,
    TERN_G_PARAMETER_STATE,
    TERN_G_FROM_TYPE,
    TERN_G_LAYOUT,
    TERN_G_SCRIPT_CLASS,  /* any class of a TorchScript archive's own */
    TERN_G_SCRIPT_LIST,   /* build_intlist and its kin: the list itself */
    TERN_G_SCRIPT_TAGGED, /* restore_type_tag(value, type) */
    TERN_G_TENSOR_CLASS,
    TERN_G_UNTYPED,
    TERN_G_STORAGE = 32,      /* + dtype */
    TERN_G_DTYPE = 64,        /* + dtype */
    TERN_G_UNSUPPORTED = 128, /* + number: known, but Tern has nothing for it */
    TERN_G_COMPLEX = TERN_G_UNSUPPORTED + 14
};

/* What the elements of a storage class or a dtype are. */
typedef struct tern_pth_type {
    const char *name; /* PyTorch's: "float32", "complex32"; NULL where it is not known */
    tern_dtype dtype; /* TERN_DTYPE_DEFAULT where Tern does not have it */
    uint32_t size;    /* bytes of an element */
} tern_pth_type;

/* The type of a global's number; false where that stands for none: a function, a quantized class. */
bool tern_pth_type_of(int known, tern_pth_type *out_type);

extern const tern_pglobal tern_pth_globals[];
extern const size_t tern_pth_n_globals;

/* "complex32" or "sparse tensors", for an unsupported one. */
const char *tern_pth_unsupported(int number);

#endif
