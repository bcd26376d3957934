//! The sessions that README.md and docs/security.md show, run for real.
//!
//! In a block marked `console`, a line that begins with `$ ` is a command, run by a shell, and the lines below
//! it are what a terminal shows of it. In these, `[..]` stands for anything within a line, and a line `...` for
//! any number of lines. The commands of one section of the text belong together: they run in one temporary
//! folder, which stands for `/tmp`, too, and which holds the section's blocks of Python and TOML whose first line names
//! a file. Ports are exchanged for free ones.
//!
//! A server runs until its section ends, and so does a client that waits for a worker; of a server only what it
//! prints until it serves is shown. Every other command has ended before the next one begins.

mod page;
#[path = "../support/process.rs"]
mod process;
mod session;

use page::Page;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
const SECURITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");

fn check(text: &str) -> Result<(), String> {
    let page = Page::read(text)?;
    page.sections.iter().try_for_each(session::check)
}

#[test]
fn the_readme_shows_what_happens() {
    let text = std::fs::read_to_string(README).expect("README.md is there");
    check(&text).unwrap_or_else(|why| panic!("README.md: {why}"));
}

#[test]
fn the_page_on_security_shows_what_happens() {
    let text = std::fs::read_to_string(SECURITY).expect("docs/security.md is there");
    check(&text).unwrap_or_else(|why| panic!("docs/security.md: {why}"));
}

#[test]
fn a_good_page_passes() {
    check(include_str!("sample.md")).unwrap_or_else(|why| panic!("sample.md: {why}"));
}

#[test]
fn a_bad_page_is_found_out() {
    let console = |body: &str| format!("# Title\n\n```console\n{body}\n```\n");
    for (page, reason) in [
        ("# No session\n\n```sh\n$ zerorpc --help\n```\n".to_owned(), "shows no session"),
        ("```console\n$ zerorpc --version".to_owned(), "line 1: the block has no end"),
        (console("zerorpc --version"), "line 4: output without a command"),
        (console("$ cargo run"), "line 4: only zerorpc and zerorpc-client"),
        (console("$ zerorpc --version"), "zerorpc --version"),
        (console("$ zerorpc --version\nzerorpc [..]\nmore"), "more"),
        (console("$ zerorpc --server --bind tcp://*:1234 no_module"), "the output has ended"),
        (
            console("$ zerorpc --server --bind tcp://*:1234 time\nserving \"space\""),
            "serving \"space\"",
        ),
        (
            // The worker's answer is not what is shown.
            console(
                "$ zerorpc --bind tcp://*:1235 sleep\nbinding to \"tcp://*:1235\"\nnull\n\
                 $ zerorpc --server tcp://127.0.0.1:1235 time\n...",
            ),
            "TypeError",
        ),
    ] {
        let why = check(&page).expect_err(reason);
        assert!(why.contains(reason), "{why:?} lacks {reason:?}");
    }
}
