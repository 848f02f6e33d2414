# SPDX-License-Identifier: Apache-2.0
# Completion of tally for bash. Commands and options are asked of the command's own help, so they are those of the
# version that is installed; values that help does not list stand here.

# _tally_help TALLY [COMMAND [ACTION]]: the help text.
_tally_help() {
    LC_ALL=C command "$1" "${@:2}" --help 2>/dev/null
}

# Filters of a help text: commands, actions of COMMAND, options, what follows OPTION.
_tally_commands() {
    sed -nE '/^commands:/,/^$/s/^  ([a-z][a-z-]*).*/\1/p'
}
_tally_actions() {
    sed -nE '1,/^$/s/^.*tally '"$1"' ([a-z][a-z-]*).*/\1/p'
}
_tally_options() {
    { sed -nE '1,/^$/p; 1,/^$/!{/^ +(-[a-zA-Z], )?--/p}' | grep -oE -- '(^|[^a-zA-Z0-9-])(--[a-z][a-z-]*|-[a-zA-Z]\b)' |
        grep -oE -- '-[a-zA-Z-]+' && echo --help; } | sort -u
}
_tally_takes() {
    grep -oE -- "(^|[^a-zA-Z0-9-])$1(, --[a-z-]+)?[ =][A-Za-z0-9|:.*-]+" | sed -nE "1s/^.*$1(, --[a-z-]+)?[ =]//p"
}

# Identities: folders with a certificate, where tally looks for them.
_tally_identities() {
    local home file
    for home in "${TALLY_HOME:-$HOME/.config/tally}" /etc/tally; do
        for file in "$home"/*/cert.pem; do
            [ ! -e "$file" ] || { file=${file%/cert.pem} && printf '%s\n' "${file##*/}"; }
        done
        [ -z "$TALLY_HOME" ] || break
    done
}

# _tally_values OPTION WHAT-HELP-SAYS: the words that may follow, or "files", or nothing.
_tally_values() {
    case $1 in
    --identity) _tally_identities ;;
    --role) printf '%s\n' receiver sender ;;
    --reveal-to) printf '%s\n' receiver sender both ;;
    --security) printf '%s\n' semi-honest malicious ;;
    --protocol) printf '%s\n' auto ecdh vole ;;
    --scheme) printf '%s\n' auto rlwe paillier ;;
    --duplicates) printf '%s\n' sum max refuse ;;
    --function) printf '%s\n' match count sum ;;
    --encoding) printf '%s\n' utf-8 gb18030 ;;
    --delimiter) printf '%s\n' tab ;;
    --lang) printf '%s\n' en zh ;;
    --noise) echo epsilon= ;;
    --peer | --link-key | --signing-key) echo sha256: ;;
    --listen) printf '%s\n' 0.0.0.0:7440 '[::]:7440' ;;
    -i | -o) echo files ;;
    --add | --checkpoint | --since) echo files ;;
    *) case $2 in
        *FILE* | PATH | DIR | FOLDER) echo files ;;
        *[a-z]\|[a-z]*) printf '%s\n' "$2" | tr '|' '\n' ;;
        esac ;;
    esac
}
_tally_profiles="exact cn-resident-id cn-uscc phone-e164 phone-e164+86"

_tally() {
    local tally=${COMP_WORDS[0]} at=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} option='' command='' action='' words='' help i
    COMPREPLY=()
    # tally --lang LANGUAGE COMMAND: what follows is as without it.
    if [ "$at" -ge 2 ] && [ "${COMP_WORDS[1]}" = --lang ]; then
        i=2
        [ "${COMP_WORDS[2]}" != = ] || i=3
        if [ "$at" -le "$i" ]; then
            mapfile -t COMPREPLY < <(compgen -W 'en zh_CN' -- "${cur#=}")
            return
        fi
        local COMP_WORDS=("$tally" "${COMP_WORDS[@]:i+1}")
        at=$((at - i))
    fi
    # bash parts words at = and :.
    if [ "$cur" = = ]; then
        option=${COMP_WORDS[at - 1]} cur=
    elif [ "$cur" = : ] && [ "${COMP_WORDS[at - 2]}" = --key ]; then
        option=profile cur=
    elif [ "$at" -ge 2 ] && [ "${COMP_WORDS[at - 1]}" = = ]; then
        option=${COMP_WORDS[at - 2]}
    elif [ "$at" -ge 3 ] && [ "${COMP_WORDS[at - 1]}" = : ] && [ "${COMP_WORDS[at - 3]}" = --key ]; then
        option=profile
    elif [ "$at" -ge 2 ] && [[ ${COMP_WORDS[at - 1]} == -* ]]; then
        option=${COMP_WORDS[at - 1]}
    fi
    [ "$at" -lt 2 ] || command=${COMP_WORDS[1]}
    if [ "$at" -lt 2 ]; then
        words=$(_tally_help "$tally" | _tally_commands)
        [[ $cur != -* ]] || words='--help --lang --version'
    elif [ "$command" = help ]; then
        words="exit-status $(_tally_help "$tally" | _tally_commands)"
    elif [ "$option" = profile ]; then
        words=$_tally_profiles
    else
        help=$(_tally_help "$tally" "$command")
        words=$(_tally_actions "$command" <<<"$help")
        if [ "$at" -ge 3 ] && [ -n "$words" ]; then
            action=${COMP_WORDS[2]}
            [[ $action == -* ]] || help=$(_tally_help "$tally" "$command" "$action")
        fi
        i=
        [ -z "$option" ] || i=$(_tally_takes "$option" <<<"$help")$(_tally_values "$option")
        if [ -n "$i" ]; then
            words=$(_tally_values "$option" "$(_tally_takes "$option" <<<"$help")")
        elif [[ $cur == -* ]] || [ -z "$words" ]; then
            words=$(_tally_options <<<"$help")
        elif [ "$at" -ge 3 ]; then
            words=files
            [ "$command" != identity ] || words=$(_tally_identities)
        fi
    fi
    if [ "$words" = files ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
        [[ ${COMPREPLY[0]} != *[:=] ]] || compopt -o nospace 2>/dev/null
    fi
}
complete -F _tally tally
