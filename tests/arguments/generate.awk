# awk -f rows.awk -f generate.awk legal.txt ops.def functional.def HEADER...: writes C to stdout, a function for every
# TERN_API prototype that makes its arguments, each legal or spoiled as the test asks, and calls it (see arguments.h).
# The function of an operation is then called by name with the same arguments.
#
# legal.txt says what is legal. Its lines are `key = expression`, where the key is, from the most to
# the least particular:
#
#     tern_select.index       the argument of a function; ` ?` behind it says that it may be NULL
#     .keepdim                every argument of a name
#     tern_tensor * : TENSOR  every argument of a type, which may be spoiled as that kind
#
# Two keys are no arguments: `tern_strdup.return` is what is done with `result`, `.out` (all output
# arguments of a function) is a block of memory.

function trim(s) { sub(/^[ \t]+/, "", s); sub(/[ \t]+$/, "", s); return s }

function fail(message) {
    print "generate.awk: " message > "/dev/stderr"
    failed = 1
    exit 1
}

# ---- legal.txt -----------------------------------------------------------------------------------

FILENAME == ARGV[1] {
    if ($0 ~ /^#/ || $0 ~ /^[ \t]*$/) next
    at = index($0, " = ")
    if (!at) fail("legal.txt:" FNR ": no ' = '")
    key = trim(substr($0, 1, at - 1))
    if (split(key, part, " : ") == 2) {
        key = trim(part[1])
        kind[key] = trim(part[2])
    }
    if (sub(/ \?$/, "", key)) optional[key] = 1
    legal[key] = trim(substr($0, at + 3))
    next
}

# ---- headers: comments and directives go, prototypes stay on one line ----------------------------

FNR == 1 { in_comment = 0; directive = 0; text = "" }
{
    line = $0
    if (directive || line ~ /^[ \t]*#/) { directive = line ~ /\\$/; next }
    code = ""
    while (line != "") {
        if (in_comment) {
            at = index(line, "*/")
            line = at ? substr(line, at + 2) : ""
            if (at) in_comment = 0
        } else {
            at = index(line, "/*")
            code = code (at ? substr(line, 1, at - 1) : line)
            line = at ? substr(line, at + 2) : ""
            if (at) in_comment = 1
        }
    }
    text = text " " code
    while ((at = index(text, ";")) > 0) {
        statement = substr(text, 1, at - 1)
        text = substr(text, at + 1)
        if ((start = index(statement, "TERN_API ")) > 0) prototype(substr(statement, start + 9))
    }
}

# ---- one function --------------------------------------------------------------------------------

# Splits an argument list at the commas outside parentheses into `list`.
function arguments(text, list,    n, depth, i, c, one) {
    if (trim(text) == "void") return 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        depth += (c == "(") - (c == ")")
        if (c == "," && depth == 0) { list[++n] = trim(one); one = "" } else one = one c
    }
    list[++n] = trim(one)
    return n
}

function name_of(argument) {
    if (match(argument, /\(\*[a-z_]+\)/)) return substr(argument, RSTART + 2, RLENGTH - 3)
    match(argument, /[A-Za-z0-9_]+$/)
    return substr(argument, RSTART)
}

# The argument's declaration with a name that no helper has.
function variable(argument) {
    if (argument ~ /\(\*/) sub(/\(\*/, "(*a_", argument)
    else sub(/[A-Za-z0-9_]+$/, "a_&", argument)
    return argument
}

function type_of(argument) {
    if (argument ~ /\(\*/) return "function"
    sub(/[A-Za-z0-9_]+$/, "", argument)
    return trim(argument)
}

# Whether an argument is where a result goes. A tensor is never one: out_proj_weight is given.
function is_output(name, type) {
    return name ~ /^out_/ && type ~ /\*$/ && type != "tern_tensor *"
}

# The legal expression of an argument; the kind goes to the global found_kind.
function expression(fn, name, type) {
    if (!(type in kind)) fail(fn ": no line for the type '" type "'")
    found_kind = kind[type]
    if (is_output(name, type)) found_kind = "POINTER"
    if ((fn "." name) in legal) return legal[fn "." name]
    if (("." name) in legal) return legal["." name]
    if (is_output(name, type)) return legal[".out"]
    return legal[type]
}

# Lines that call the row of a function by name with the same arguments; none where C's own words stand for
# arguments of the row.
function by_name(fn, list, n, result,    id, all, i, name, row, type, lines, further, outputs) {
    id = row_of(substr(fn, 6))
    if (id == "" || fn ~ /_(in_place|tanh|with_indices|tuple)$/ && fn !~ /tern_(random|uniform|normal|bernoulli|exponential|geometric|cauchy|log_normal)/)
        return ""
    # A list, of which C gives one; contents that are open; a result that is asked for by name alone.
    if (full[id] ~ /^(index|index_put|empty_like|gradient|histogramdd|stft)$/) return ""
    all = names_in(schema[id])
    lines = "    if (arguments_begin(c, \"" full[id] (fn ~ /_in_place$/ ? "_" : "") "\")) {\n"
    for (i = 1; i <= n; i++) {
        name = name_of(list[i])
        type = type_of(list[i])
        row = name
        if (name == "dims" && !index(all, " dims ")) row = "dim"
        if (name == "ctx" || name == "count") continue
        if (is_output(name, type)) { further = further ", *a_" name; outputs++; continue }
        if (!index(all, " " row " ")) return ""
        gsub(/[ *]+/, "_", type)
        sub(/^const_/, "", type)
        sub(/_$/, "", type)
        if (list[i] ~ /const double/) type = type "_list"
        lines = lines "        arguments_name_" type "(c, \"" row "\", a_" name (list[i] ~ /\*const \*|const double/ ? ", a_count" : "") ");\n"
    }
    further = outputs ? "(tern_tensor *const[]){" substr(further, 3) "}, " outputs : "NULL, 0"
    lines = lines "        arguments_compare_" result "(c, result, " further ");\n    }"
    compared++
    return lines
}

function prototype(declaration,    open, head, fn, type, list, n, i, call, name, value, places, lines) {
    gsub(/[ \t\n]+/, " ", declaration)
    sub(/ TERN_PRINTF.*$/, "", declaration)
    open = index(declaration, "(")
    head = substr(declaration, 1, open - 1)
    fn = name_of(head)
    type = type_of(head)
    if (fn !~ /^tern_/) fail("no function: " declaration)
    n = arguments(substr(declaration, open + 1, length(declaration) - open - 1), list)
    print "static void call_" fn "(struct call *c) {"
    for (i = 1; i <= n; i++) {
        if (list[i] == "...") continue
        name = name_of(list[i])
        value = expression(fn, name, type_of(list[i]))
        call = call (call == "" ? "" : ", ") "a_" name
        if (found_kind == "SCALAR") {
            print "    " variable(list[i]) " = " value ";"
        } else {
            print "    " variable(list[i]) (found_kind == "VALUE" || found_kind == "SCOPE" ? " = {0};" : " = NULL;")
            print "    if (arguments_make(c, " places + 0 ")) a_" name " = " value ";"
            if (found_kind == "VALUE" || found_kind == "SCOPE")
                print "    a_" name " = arguments_made_" tolower(found_kind) "(c, " places + 0 ", a_" name ");"
            else if (type_of(list[i]) != "function" && list[i] !~ /_fn |tern_module_visit|tern_lr_lambda|tern_optim_closure/)
                print "    a_" name " = arguments_made(c, " places + 0 ", a_" name ");"
            lines = lines (lines == "" ? "" : ", ") "{\"" name "\", ARGUMENT_" found_kind ", " (((fn "." name) in optional) ? "true" : "false") "}"
            places++
        }
    }
    print "    arguments_ready(c);"
    if (type == "void")
        print "    " fn "(" call ");\n    arguments_done(c);"
    else {
        print "    " type (type ~ /\*$/ ? "" : " ") "result = " fn "(" call ");"
        print "    arguments_done(c);"
        if ((fn ".return") in legal) print "    " legal[fn ".return"] ";"
        else if (type == "tern_tensor *") print "    arguments_use_tensor(c, result);"
        else if (type == "tern_value") print "    arguments_use_value(c, result);"
        else if (type == "const char *") print "    arguments_use_text(c, result);"
        else print "    (void)result;"
        if (type ~ /^(tern_tensor \*|tern_value|bool)$/) {
            gsub(/ \*/, "", type)
            value = by_name(fn, list, n, type)
            if (value) print value
        }
    }
    print "}\n"
    table[++functions] = "    {\"" fn "\", call_" fn ", " places + 0 ", {" (lines == "" ? "{NULL, 0, false}" : lines) "}},"
}

BEGIN {
    print "/* Written by generate.awk from the public headers. */\n#include \"arguments.h\"\n"
    print "#pragma GCC diagnostic ignored \"-Wformat-security\"\n"
}

END {
    if (failed) exit 1
    if (compared < 400) fail("only " compared " functions are compared with a call by name")
    print "const struct function functions[] = {"
    for (i = 1; i <= functions; i++) print table[i]
    print "};\n\nconst size_t function_count = sizeof functions / sizeof functions[0];"
}
