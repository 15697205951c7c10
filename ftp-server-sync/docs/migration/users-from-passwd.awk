# Makes a users file of ftp-server-sync from the virtual users of another server:
#
#   awk -f users-from-passwd.awk pureftpd.passwd > users        Pure-FTPd (pure-pw)
#   awk -f users-from-passwd.awk ftpd.passwd > users            ProFTPD (AuthUserFile, ftpasswd)
#   awk -v rights=read -f users-from-passwd.awk …               other rights than `all`
#
# Passwords stay as they are where the server can check their hashes. What has no counterpart becomes a comment above
# the user's line. Check the result with `ftp-server-sync --users users --check`.

BEGIN {
    FS = ":"
    if (rights == "") rights = "all"
    print "# name:hash:home:rights:options"
}

/^[ \t]*(#|$)/ { next }

NF != 7 && NF < 13 {
    comment("line " NR " is of neither format: " NF " fields")
    next
}

{
    options = ""
    hash = $2
    home = $6
    owners[$3 ":" $4] = 1
    if (NF == 7) read_proftpd()
    else read_pure_ftpd()
    if (!is_accepted(hash)) {
        comment($1 " cannot log in: the hash is of a kind that cannot be checked; make a new one with --hash-password")
        hash = "*"
    }
    line = escaped($1) ":" escaped(hash) ":" escaped(home) ":" rights
    print line (options == "" ? "" : ":" options)
}

END {
    count = 0
    for (owner in owners) count++
    if (count > 1) comment("the users had " count " owners (uid:gid); now the server's user owns what they upload")
}

function read_proftpd() {
    if (hash ~ /^!/) comment($1 " was locked: the hash begins with !")
}

function read_pure_ftpd() {
    # Everything before /./ was the root of the session.
    if (!sub(/\/\.\/.*$/, "", home)) comment($1 " could leave " home "; now it is the root")
    add("rate-in", $7)
    add("rate-out", $8)
    add("max-sessions", $11)
    if ($12 != "" || $13 != "") add("quota", ($13 == "" ? 0 : $13) "," ($12 == "" ? 0 : $12))
    add("allow", $16)
    add("deny", $17)
    if ($9 != "" || $10 != "") comment($1 " had a ratio of uploads to downloads")
    if ($14 != "" || $15 != "") comment($1 " was limited to certain addresses of the server: " $14 " " $15)
    if ($18 != "") comment($1 " was limited to certain hours: " $18)
}

function add(key, value) {
    if (value == "") return
    options = options (options == "" ? "" : ";") key "=" value
}

# Pure-FTPd marks a user whose password is in no file by *.
function is_accepted(hash) {
    return hash ~ /^\$(argon2id|2[aby]|5|6|y)\$/
}

function escaped(text) {
    gsub(/[\\;]/, "\\\\&", text)
    return text
}

function comment(text) {
    print "# " text
}
