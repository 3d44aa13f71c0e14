# awk -f rows.awk -f functions.awk ops.def functional.def HEADER...: the C functions of the rows of the tables.
#
# Prints `NAME ID FUNCTION...` for every public row: PyTorch's name, the row's id and the functions that are
# called tern_ and the id, with one of the endings below or none. A row without any prints none. A parameter that the
# row does not have is an error line, `! FUNCTION: ...`.

function trim(s) { sub(/^[ \t]+/, "", s); sub(/[ \t]+$/, "", s); return s }

BEGIN {
    # What C adds to an operation, or says in its own words; beside results, out_...
    split("ctx count generator dims one other subscript length depth height width " \
          "tensor value split_size input factor upper tau lu ld pivots clone", word, " ")
    for (i in word) own[word[i]] = 1
}

{
    if (FNR == 1) in_comment = 0
    line = $0
    sub(/\/\*.*\*\//, "", line)
    if (in_comment) { if (line ~ /\*\//) in_comment = 0; next }
    if (line ~ /\/\*/) { in_comment = 1; next }
    if (line ~ /^TERN_API /) text = ""
    text = text " " line
    if (text ~ /TERN_API .*;/) {
        match(text, /tern_[A-Za-z0-9_]+\(/)
        name = substr(text, RSTART + 5, RLENGTH - 6)
        arguments = substr(text, RSTART + RLENGTH)
        sub(/\)[^)]*;.*/, "", arguments)
        known[name] = arguments
        order[++n_known] = name
        text = ""
    }
}

END {
    for (k = 1; k <= n_known; k++) {
        name = order[k]
        id = row_of(name)
        if (id == "") continue
        functions[id] = functions[id] " tern_" name
        n = split(known[name], parameter, ",")
        all = names_in(schema[id])
        for (i = 1; i <= n; i++) {
            one = trim(parameter[i])
            match(one, /[A-Za-z0-9_]+$/)
            one = substr(one, RSTART)
            if (!(one in own) && schema[id] !~ /[(]any | any / && one !~ /^out_/ && !index(tolower(all), " " tolower(one) " "))
                print "! tern_" name ": the row has no argument '" one "': " schema[id]
        }
    }
    for (i = 1; i <= n_ids; i++) print title[ids[i]] " " ids[i] functions[ids[i]]
}
