/* shape_text.h: shapes as they are written on a command line and in a recipe. */
#ifndef TERN_TOOLS_SHAPE_TEXT_H
#define TERN_TOOLS_SHAPE_TEXT_H

#include "tern/base.h"

/* Reads "1,28,28" or "1x28x28": sizes from 1 up. False where it is malformed. */
bool shape_parse(const char *text, tern_shape *out_shape);

#endif
