/* plain_text.h: text out of a file, which must not move the terminal's cursor nor end a message's line. */
#ifndef TERN_TOOLS_PLAIN_TEXT_H
#define TERN_TOOLS_PLAIN_TEXT_H

#include "tern/context.h"

/* The text with a '?' for each control character, in the open scope; "" where memory is out. */
const char *plain_text(tern_ctx *ctx, const char *text);

#endif
