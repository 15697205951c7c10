# Completion of ftp-server-sync for bash, made from its table of flags.

_ftp_server_sync() {
    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}
    local flags=' --interface --port --inetd --directory --hide --local-time --write --umask --broken-uploads --sync --run-as --username --password --password-file --anonymous --users --system-users --create-home --ascii --encoding --masquerade-address --masquerade-address-map --masquerade-client --masquerade-refresh --local-networks --passive-ports --outer-ports --outer-port --port-mapping --port-mapping-interface --port-mapping-anonymous --trust-gateway --proxy-protocol --tls --certfile --keyfile --tls-control-required --tls-data-required --tls-implicit --tls-require-resumption --tls-require-close-notify --gateway-resumption --client-ca --max-cons --max-cons-per-ip --allow --deny --max-login-attempts --login-delay --block-after --block-time --login-timeout --timeout --passive-timeout --data-timeout --rate-in --rate-out --max-upload-size --free-space-min --shutdown-grace --permit-foreign-addresses --permit-privileged-ports --deny-commands --sandbox --on-upload --on-event --hook-timeout --status-socket --metrics --who --watch --json --kick --stop --reload --drain --banner --debug --log-level --log-format --log-file --xferlog --config --check --recount --rules --hash-password --probe --write-test --version --help '
    COMPREPLY=()
    # "--flag=value" is three words.
    if [ "$word" = "=" ]; then
        word=
    elif [ "$flag" = "=" ]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $flag in
        -i | --interface | -p | --port | --hide | --umask | -u | --username | -P | --password | -n | --masquerade-address | --masquerade-address-map | --masquerade-client | --masquerade-refresh | --local-networks | -r | --passive-ports | --outer-ports | --outer-port | --port-mapping-interface | --trust-gateway | --proxy-protocol | --tls-implicit | --max-cons | --max-cons-per-ip | --allow | --deny | --max-login-attempts | --login-delay | --block-after | --block-time | --login-timeout | --timeout | --passive-timeout | --data-timeout | --rate-in | --rate-out | --max-upload-size | --free-space-min | --shutdown-grace | --deny-commands | --hook-timeout | --metrics | --kick | --banner | --probe)
            ;;
        -d | --directory)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$word")
            ;;
        --broken-uploads)
            mapfile -t COMPREPLY < <(compgen -W "keep discard" -- "$word")
            ;;
        --run-as)
            mapfile -t COMPREPLY < <(compgen -u -- "$word")
            ;;
        --password-file | --users | --certfile | --keyfile | --client-ca | --on-upload | --on-event | --status-socket | --log-file | --xferlog | --config)
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            ;;
        --system-users)
            mapfile -t COMPREPLY < <(compgen -g -W "$flags" -- "$word")
            ;;
        --ascii)
            mapfile -t COMPREPLY < <(compgen -W "requested rfc959 never" -- "$word")
            ;;
        --encoding)
            mapfile -t COMPREPLY < <(compgen -W "auto" -- "$word")
            ;;
        --port-mapping)
            mapfile -t COMPREPLY < <(compgen -W "auto pcp nat-pmp upnp off" -- "$word")
            ;;
        --gateway-resumption)
            mapfile -t COMPREPLY < <(compgen -W "on off" -- "$word")
            ;;
        --log-level)
            mapfile -t COMPREPLY < <(compgen -W "error warn info debug trace" -- "$word")
            ;;
        --log-format)
            mapfile -t COMPREPLY < <(compgen -W "text json journald" -- "$word")
            ;;
        --rules)
            mapfile -t COMPREPLY < <(compgen -W "text nft iptables docker ufw" -- "$word")
            ;;
        -h | --help)
            mapfile -t COMPREPLY < <(compgen -W "all $flags" -- "$word")
            ;;
        *)
            # Nothing but flags stands alone.
            [[ $word != "" && $word != -* ]] ||
                mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
            ;;
    esac
}

complete -F _ftp_server_sync ftp-server-sync
