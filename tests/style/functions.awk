# awk -f functions.awk HEADER... ops.def functional.def: the C functions of the rows of the tables.
#
# Prints `NAME ID FUNCTION...` for every public row: PyTorch's name, the row's id and the functions that are
# called tern_ and the id, with one of the endings below or none. A row without any prints none. A parameter that the
# row does not have is an error line, `! FUNCTION: ...`.

function trim(s) { sub(/^[ \t]+/, "", s); sub(/[ \t]+$/, "", s); return s }

BEGIN {
    endings = "in_place scalar alpha rounded dims dim all i64 tensors tensor tanh beta delta weighted scaled " \
              "with indices with named eps values by tuple"
    n_endings = split(endings, ending, " ")
    # What C adds to an operation, or says in its own words.
    split("ctx count generator dims out_indices out_mean out_max subscript length depth height width " \
          "tensor value split_size", word, " ")
    for (i in word) own[word[i]] = 1
}

FILENAME ~ /\.h$/ {
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
    next
}

/^TERN_OP(_GRAD)?\(/ {
    id = $0
    sub(/^TERN_OP(_GRAD)?\(/, "", id)
    sub(/,.*/, "", id)
    split($0, part, "\"")
    pytorch = part[2]
    sub(/[:(].*/, "", pytorch)
    if (id ~ /^_/ || pytorch ~ /^_/) next
    ids[++n_ids] = id
    title[id] = pytorch
    schema[id] = part[2]
}

# The row that a function belongs to: the longest id that its name begins with.
function row_of(name,    i, shorter) {
    if (name in title) return name
    for (i = 1; i <= n_endings; i++)
        if (name ~ ("_" ending[i] "$")) {
            shorter = row_of(substr(name, 1, length(name) - length(ending[i]) - 1))
            if (shorter != "") return shorter
        }
    return ""
}

# The names of a schema's arguments, each between spaces.
function names_in(text,    part, n, i, all) {
    sub(/^[^(]*\(/, "", text)
    n = split(text, part, /[,)]/)
    all = " "
    for (i = 1; i <= n; i++) {
        sub(/=.*/, "", part[i])
        sub(/.* /, "", part[i])
        all = all part[i] " "
    }
    return all
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
            if (!(one in own) && !index(all, " " one " "))
                print "! tern_" name ": the row has no argument '" one "': " schema[id]
        }
    }
    for (i = 1; i <= n_ids; i++) print title[ids[i]] " " ids[i] functions[ids[i]]
}
