//! Descriptions as they were recorded from peers, and how they are shown.

use std::ffi::OsStr;

use rmpv::Value;

use super::{Question, answer};
use crate::{
    exit::{CliError, Exit},
    params,
};

fn value(json: &str) -> Value {
    params::json(OsStr::new(json)).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// A service that knows these calls, `method [params]`, and answers all others with an error.
fn shown(question: &Question, calls: &[(&str, &str)]) -> Result<String, CliError> {
    answer(question, &mut |method, params| {
        let call = format!("{method} {}", crate::render::json::to_string(&Value::Array(params)));
        let known = calls.iter().find(|(known, _)| *known == call);
        known
            .map(|(_, answer)| value(answer))
            .ok_or_else(|| CliError::new(Exit::Remote, "NameError"))
    })
}

fn describe(method: &str) -> Question {
    Question::Describe(method.to_owned())
}

const PYTHON: &str = r#"{"name": "smallsvc", "methods": {
    "Counter": {"args": null, "doc": "Counts."},
    "add": {"args": [{"name": "a"}, {"name": "b", "default": 2}], "doc": null},
    "echo": {"args": [{"name": "x"}], "doc": "Return the argument.\n\nSecond paragraph."},
    "opt": {"args": [{"name": "c", "default": "text"}, {"name": "d", "default": null}], "doc": "\n  Odd.\n"},
    "now": {"args": [], "doc": ""}}}"#;

/// What a server of this project tells of `*args`, `**kwargs` and keyword-only arguments.
const STARRED: &str = r#"{"name": "stars", "methods": {
    "all": {"args": [{"name": "a"}, {"name": "*rest"}, {"name": "only"},
        {"name": "mode", "default": "r"}, {"name": "**more"}], "doc": null},
    "bare": {"args": [{"name": "*"}, {"name": "n", "default": 2}], "doc": null}}}"#;

const NODE: &str = r#"{"name": "Object", "methods": {
    "echo": {"doc": "", "args": [{"name": "x"}]},
    "boom": {"doc": "", "args": []}}}"#;

const VERSION_2: &str = r#"{"name": {"$bin": "b2xk"}, "methods": [
    ["add", [["a", "b"], null, null, [2]], "Adds."],
    ["many", [[], "rest", "more", null], null],
    ["sleep", null, "sleep(seconds)\n\nDelay."]]}"#;

#[test]
fn lists_are_padded() {
    for (description, text) in [
        (
            PYTHON,
            "[smallsvc]\nCounter Counts.\nadd     <undocumented>\necho    Return the argument.\n\
             opt     Odd.\nnow     <undocumented>\n",
        ),
        (NODE, "[Object]\necho <undocumented>\nboom <undocumented>\n"),
        (VERSION_2, "[old]\nadd   Adds.\nmany  <undocumented>\nsleep sleep(seconds)\n"),
        (r#"{"methods": {}}"#, "[N/A]\n"),
    ] {
        let text = Ok(text.to_owned());
        assert_eq!(shown(&Question::List, &[("_zerorpc_inspect []", description)]), text);
    }
}

#[test]
fn signatures_show_defaults() {
    for (description, text) in [
        (PYTHON, "[smallsvc]\nCounter(??)\nadd(a, b=2)\necho(x)\nopt(c=text, d)\nnow()\n"),
        (NODE, "[Object]\necho(x)\nboom()\n"),
        (STARRED, "[stars]\nall(a, *rest, only, mode=r, **more)\nbare(*, n=2)\n"),
        (VERSION_2, "[old]\nadd(a, b=2)\nmany(*rest, **more)\nsleep(??)\n"),
    ] {
        let text = Ok(text.to_owned());
        assert_eq!(shown(&Question::Signatures, &[("_zerorpc_inspect []", description)]), text);
    }
}

#[test]
fn one_method_is_described() {
    for (description, method, text) in [
        (PYTHON, "echo", "[smallsvc]\necho(x)\n\nReturn the argument.\n\nSecond paragraph.\n\n"),
        (PYTHON, "add", "[smallsvc]\nadd(a, b=2)\n\n<undocumented>\n\n"),
        (PYTHON, "nope", "No documentation for \"nope\".\n"),
        (NODE, "boom", "[Object]\nboom()\n\n<undocumented>\n\n"),
        (VERSION_2, "sleep", "[old]\nsleep(??)\n\nsleep(seconds)\n\nDelay.\n\n"),
    ] {
        let calls = [("_zerorpc_inspect []", description)];
        assert_eq!(shown(&describe(method), &calls), Ok(text.to_owned()), "{method}");
    }
}

#[test]
fn services_that_cannot_describe_themselves_are_asked_one_by_one() {
    let calls = [
        ("_zerorpc_name []", "\"old\""),
        ("_zerorpc_list []", r#"["add", "odd"]"#),
        (r#"_zerorpc_help ["only"]"#, "null"),
        (r#"_zerorpc_args ["only"]"#, r#"[["a"],null,"more",null,["b","c"],{"c":3}]"#),
        (r#"_zerorpc_help ["all"]"#, "null"),
        (r#"_zerorpc_args ["all"]"#, r#"[["a"],"rest",null,[1],["b"],{}]"#),
        (r#"_zerorpc_help ["add"]"#, r#""Adds.\n\nSlowly.""#),
        (r#"_zerorpc_args ["add"]"#, r#"[["a","b"],null,null,[2]]"#),
        (r#"_zerorpc_help ["odd"]"#, "null"),
        (r#"_zerorpc_args ["odd"]"#, "null"),
    ];
    for (question, text) in [
        (Question::List, "[old]\nadd Adds.\nodd <undocumented>\n"),
        (Question::Signatures, "[old]\nadd(a, b=2)\nodd(??)\n"),
        (describe("add"), "[old]\nadd(a, b=2)\n\nAdds.\n\nSlowly.\n\n"),
        (describe("odd"), "[old]\nodd(??)\n\n<undocumented>\n\n"),
        (describe("only"), "[old]\nonly(a, *, b, c=3, **more)\n\n<undocumented>\n\n"),
        (describe("all"), "[old]\nall(a=1, *rest, b)\n\n<undocumented>\n\n"),
        (describe("nope"), "No documentation for \"nope\".\n"),
    ] {
        assert_eq!(shown(&question, &calls), Ok(text.to_owned()), "{question:?}");
    }
    let nameless = shown(&Question::List, &calls[1..2]);
    assert_eq!(nameless, Ok("[N/A]\nadd <undocumented>\nodd <undocumented>\n".to_owned()));
}

#[test]
fn failures_end_the_inspection() {
    let refused = shown(&Question::List, &[]).expect_err("no list");
    assert_eq!(refused.exit, Exit::Remote);

    let lost = answer(&Question::List, &mut |_, _| Err(CliError::new(Exit::Timeout, "late")));
    assert_eq!(lost, Err(CliError::new(Exit::Timeout, "late")));

    for odd in ["null", "{}", r#"{"methods": 3}"#] {
        let error = shown(&Question::List, &[("_zerorpc_inspect []", odd)]).expect_err(odd);
        assert_eq!(error.exit, Exit::Failed);
    }
}

#[test]
fn broken_parts_cost_only_themselves() {
    let description = r#"{"name": 3, "methods": {"$map": [
        [1, {"doc": "no name"}],
        ["f", null],
        ["g\u001b", {"args": [3, {"name": "x", "default": {"a": [1]}}], "doc": 4}]]}}"#;
    let text = "[N/A]\nf(??)\ng\\u{1b}(3, x={\"a\":[1]})\n";
    let calls = [("_zerorpc_inspect []", description)];
    assert_eq!(shown(&Question::Signatures, &calls), Ok(text.to_owned()));
}
