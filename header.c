#include "tern/value.h"
#include "tern/value.h"
int unused;
