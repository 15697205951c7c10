# Completion of ftp-server-sync for bash, made from its table of flags.

_ftp_server_sync() {
    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}
    local flags='@FLAGS@'
    COMPREPLY=()
    # "--flag=value" is three words.
    if [ "$word" = "=" ]; then
        word=
    elif [ "$flag" = "=" ]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $flag in
@CASES@
        *)
            # Nothing but flags stands alone.
            [[ $word != "" && $word != -* ]] ||
                mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
            ;;
    esac
}

complete -F _ftp_server_sync ftp-server-sync
