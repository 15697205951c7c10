<?php
// A user's session with PHP's functions and its ftp:// streams, in the current directory:
// php php_session.php HOST PORT USER PASSWORD MODE
//
// MODE is passive or active. What must lie in the directory, and what is compared afterwards, says the test that runs
// this. Prints "NAME SIZE" for each file in the directory odd; ends with the first thing that fails.

function fail(string $what): never
{
    fwrite(STDERR, "$what\n");
    exit(1);
}

function done(string $what, mixed $result): mixed
{
    return $result === false ? fail("$what failed") : $result;
}

function same(string $what, mixed $found, mixed $wanted): void
{
    if ($found !== $wanted) {
        fail("$what: found " . var_export($found, true) . ", wanted " . var_export($wanted, true));
    }
}

function files(FTP\Connection $ftp): void
{
    done("STOR", ftp_put($ftp, "sample", "sample", FTP_BINARY));
    done("RETR", ftp_get($ftp, "copy", "sample", FTP_BINARY));
    same("size", ftp_size($ftp, "sample"), filesize("sample"));
    same("a time", ftp_mdtm($ftp, "sample") > 0, true);
    // Each asks how much is there.
    done("REST and RETR", ftp_get($ftp, "part", "sample", FTP_BINARY, FTP_AUTORESUME));
    done("REST and STOR", ftp_put($ftp, "part", "sample", FTP_BINARY, FTP_AUTORESUME));
    done("APPE", ftp_append($ftp, "appended", "rest", FTP_BINARY));
    $state = ftp_nb_put($ftp, "stream", "sample", FTP_BINARY);
    while ($state === FTP_MOREDATA) {
        $state = ftp_nb_continue($ftp);
    }
    same("an upload in pieces", $state, FTP_FINISHED);
    done("DELE", ftp_delete($ftp, "stream"));
    same("a missing file", @ftp_get($ftp, "missing", "missing", FTP_BINARY), false);
}

function names(FTP\Connection $ftp): void
{
    done("MKD", ftp_mkdir($ftp, "odd"));
    foreach (file("names", FILE_IGNORE_NEW_LINES) as $name) {
        done("STOR $name", ftp_put($ftp, "odd/$name", "./$name", FTP_BINARY));
        done("RETR $name", ftp_get($ftp, "back/$name", "odd/$name", FTP_BINARY));
    }
    $listed = array_filter(done("MLSD", ftp_mlsd($ftp, "odd")), fn ($entry) => $entry["type"] === "file");
    foreach ($listed as $entry) {
        echo "{$entry["name"]} {$entry["size"]}\n";
    }
    $paths = array_map(fn ($entry) => "odd/{$entry["name"]}", array_values($listed));
    same("names by NLST", ftp_nlist($ftp, "odd"), $paths);
    same("lines of LIST", count(done("LIST", ftp_rawlist($ftp, "odd"))), count($paths));
}

function changes(FTP\Connection $ftp): void
{
    same("ALLO", ftp_alloc($ftp, 1000), true);
    done("MKD", ftp_mkdir($ftp, "one"));
    done("CWD", ftp_chdir($ftp, "one"));
    same("directory", ftp_pwd($ftp), "/one");
    done("CDUP", ftp_cdup($ftp));
    done("SITE CHMOD", ftp_chmod($ftp, 0640, "sample"));
    done("RNTO", ftp_rename($ftp, "sample", "one/moved"));
    done("rename over a file", ftp_rename($ftp, "one/moved", "copy"));
    done("RMD", ftp_rmdir($ftp, "one"));
    done("DELE", ftp_delete($ftp, "copy"));
}

// Each is a session of its own. A file is replaced only where the program asks for that.
function streams(string $url): void
{
    $again = stream_context_create(["ftp" => ["overwrite" => true]]);
    same("STOR", file_put_contents("$url/stream", "old"), 3);
    same("no STOR", @file_put_contents("$url/stream", "new"), false);
    same("STOR", file_put_contents("$url/stream", "new one", 0, $again), 7);
    same("RETR", file_get_contents("$url/stream"), "new one");
    $from = stream_context_create(["ftp" => ["resume_pos" => 4]]);
    same("REST and RETR", file_get_contents("$url/stream", false, $from), "one");
    same("a size", filesize("$url/stream"), 7);
    same("a directory", is_dir("$url/odd"), true);
    same("names", count(scandir("$url/odd")), count(file("names")));
    done("RNTO", rename("$url/stream", "$url/renamed"));
    done("DELE", unlink("$url/renamed"));
    same("a missing file", file_exists("$url/renamed"), false);
}

[, $host, $port, $user, $password, $mode] = $argv;
$ftp = done("connect", ftp_connect(trim($host, "[]"), (int) $port, 20));
done("login", ftp_login($ftp, $user, $password));
if ($mode === "passive") {
    done("passive", ftp_pasv($ftp, true));
}
files($ftp);
names($ftp);
changes($ftp);
done("QUIT", ftp_close($ftp));
if ($mode === "passive") {
    streams("ftp://$user:$password@$host:$port");
}
