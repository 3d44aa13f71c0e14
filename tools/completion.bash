# Completion of the tern command for bash: verbs and options as the command itself lists them.
_tern() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} tern=${COMP_WORDS[0]}
    local verb=${COMP_WORDS[1]-} verbs
    COMPREPLY=()
    if [ "$before" = --device ]; then
        mapfile -t COMPREPLY < <(compgen -W "auto cpu $("$tern" devices 2>/dev/null |
            sed -nE '2,$s/^[* ] ([^ ]+).*/\1/p')" -- "$word")
        return
    fi
    verbs=$("$tern" --help 2>/dev/null | awk '/^verbs:$/ { on = 1; next } /^$/ { on = 0 } on' |
        sed -E 's/^  ([^ ]+( [^ ]+)?) {2,}.*/\1/')
    if [ "$COMP_CWORD" = 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$(echo "$verbs" | cut -d' ' -f1 | sort -u)" -- "$word")
        return
    fi
    # A verb of two words: its second one.
    local second
    second=$(echo "$verbs" | sed -n "s/^$verb \(.*\)/\1/p")
    if [ -n "$second" ] && [ "$COMP_CWORD" = 2 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$second" -- "$word")
        return
    fi
    [ -z "$second" ] || verb="$verb ${COMP_WORDS[2]}"
    case $word in
    -*) mapfile -t COMPREPLY < <(compgen -W "$("$tern" $verb --help 2>/dev/null |
            sed -nE 's/^  (--[a-z-]+).*/\1/p')" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}
complete -F _tern tern
