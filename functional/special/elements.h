/*
 * elements.h: functions of one and two numbers that few programs need, element by element in host memory
 * on any device. They compute in double and round once, to the dtype of the result: the argument's where
 * that is floating, else float32.
 */
#ifndef TERN_SPECIAL_ELEMENTS_H
#define TERN_SPECIAL_ELEMENTS_H

#include "functional/functional.h"

typedef double (*tern_real_function)(double x);
typedef double (*tern_real_function2)(double x, double y);

/* The call's first tensor, mapped. */
tern_value tern_map_elements(tern_opcall *call, tern_real_function function);

/* The first two arguments, tensors or numbers, promoted and broadcast. */
tern_value tern_map_pairs(tern_opcall *call, tern_real_function2 function);

#endif
