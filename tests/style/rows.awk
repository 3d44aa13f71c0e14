# rows.awk: reads the tables of operations, for other awk programs. Names are those of PyTorch without the overload.
#
#     ids[1..n_ids]   the public rows in order
#     title[id]       "nn.functional.linear"
#     full[id]        "max:dim": what tells an overload from others
#     schema[id]      the whole schema

BEGIN {
    # What C adds to a row's id where a row has several functions.
    n_endings = split("in_place scalar alpha rounded dims dim all i64 tensors tensor tanh beta delta weighted scaled " \
                      "with indices with named eps values by tuple", ending, " ")
}

FILENAME ~ /\.def$/ {
    if ($0 !~ /^TERN_OP(_GRAD)?\(/) next
    id = $0
    sub(/^TERN_OP(_GRAD)?\(/, "", id)
    sub(/,.*/, "", id)
    split($0, part, "\"")
    name = part[2]
    sub(/\(.*/, "", name)
    if (id ~ /^_/ || name ~ /^_/) next
    ids[++n_ids] = id
    full[id] = name
    sub(/:.*/, "", name)
    title[id] = name
    schema[id] = part[2]
    next
}

# The row that a function (without tern_) belongs to: its name is the id, with endings or without.
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
