//! The committed corpora of the fuzz targets: what a search has found once must stay right.

use std::fs;
use std::path::Path;

use ftp_tests::fuzz;

#[test]
fn the_corpus_of_charsets_passes() {
    replay("charset", fuzz::charset);
}

#[test]
fn the_corpus_of_the_client_passes() {
    replay("client", fuzz::client);
}

#[test]
fn the_corpus_of_commands_passes() {
    replay("command", fuzz::command);
}

#[test]
fn the_corpus_of_other_protocols_passes() {
    replay("foreign", fuzz::foreign);
}

#[test]
fn the_corpus_of_listings_passes() {
    replay("listing", fuzz::listing);
}

#[test]
fn the_corpus_of_the_real_server_passes() {
    replay("loopback", fuzz::loopback);
}

#[test]
fn the_corpus_of_model_steps_passes() {
    replay("model", fuzz::model);
}

#[test]
fn the_corpus_of_routers_with_nat_pmp_passes() {
    replay("nat_pmp", fuzz::nat_pmp);
}

#[test]
fn the_corpus_of_routers_with_pcp_passes() {
    replay("pcp", fuzz::pcp);
}

#[test]
fn the_corpus_of_proxy_headers_passes() {
    replay("proxy_header", fuzz::proxy_header);
}

#[test]
fn the_corpus_of_users_files_passes() {
    replay("users", fuzz::users);
}

#[test]
fn the_corpus_of_password_hashes_passes() {
    replay("hash_text", fuzz::hash_text);
}

#[test]
fn the_corpus_of_replies_passes() {
    replay("reply", fuzz::reply);
}

#[test]
fn the_corpus_of_sessions_passes() {
    replay("session", fuzz::session);
}

#[test]
fn the_corpus_of_stun_servers_passes() {
    replay("stun", fuzz::stun);
}

#[test]
fn the_corpus_of_routers_with_upnp_passes() {
    replay("upnp", fuzz::upnp);
}

#[track_caller]
fn replay(target: &str, run: impl Fn(&[u8])) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = manifest.join("../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&directory).expect("the corpus") {
        let path = entry.expect("an entry").path();
        // Only seen when the run fails: then the last line names the culprit.
        println!("{}", path.display());
        run(&fs::read(&path).expect("a file"));
        count += 1;
    }
    assert!(count > 0, "{} is empty", directory.display());
}
