/* schema.h: what the parts of the schema code share. */
#ifndef TERN_CORE_SCHEMA_H
#define TERN_CORE_SCHEMA_H

#include "tern/schema.h"

/* A Python scalar as text: None, True, a number, torch.float32. Not a string. */
bool tern_literal_parse(const char *text, tern_value *out_value);

#endif
