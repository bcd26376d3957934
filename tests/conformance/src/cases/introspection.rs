//! The built-in methods.

use rmpv::Value;

use super::steps::{expect_err, must, should, text};
use crate::{
    Trial,
    case::Case,
    event::shown,
    failure::{Failure, ensure},
};

/// What the contract has, as far as every server offers it.
const ADD: &[&str] = &["add"];

pub(super) const CASES: &[Case] = &[
    should("introspection.ping.offered", "ZRPC-7.23", &[], "_zerorpc_ping is offered.", |trial| {
        offered(trial, "_zerorpc_ping", vec![]).map(drop)
    }),
    must(
        "introspection.ping.form",
        "ZRPC-7.23",
        &[],
        "_zerorpc_ping answers [\"pong\", the service's name].",
        |trial| {
            let value = where_offered(trial, "_zerorpc_ping", vec![])?;
            let is_right = match value.as_array().map(Vec::as_slice) {
                Some([pong, name]) => *pong == text("pong") && name.is_str(),
                _ => false,
            };
            ensure(is_right, "[\"pong\", a str]", shown(&value))
        },
    ),
    should(
        "introspection.inspect.offered",
        "ZRPC-7.23",
        &[],
        "_zerorpc_inspect is offered.",
        |trial| offered(trial, "_zerorpc_inspect", vec![]).map(drop),
    ),
    must(
        "introspection.inspect.form",
        "ZRPC-7.24",
        &[],
        "_zerorpc_inspect answers a map with the service's name and a map of its methods.",
        |trial| {
            let value = where_offered(trial, "_zerorpc_inspect", vec![])?;
            let name = get(&value, "name").is_some_and(Value::is_str);
            ensure(name, "name to be a str", shown(&value))?;
            let methods = get(&value, "methods").and_then(Value::as_map).cloned();
            let methods = methods.ok_or_else(|| Failure::new("a map of methods", shown(&value)))?;
            for (method, about) in &methods {
                method_form(method, about)?;
            }
            Ok(())
        },
    ),
    must(
        "introspection.inspect.methods",
        "ZRPC-7.24",
        ADD,
        "_zerorpc_inspect names the methods that are exposed, and none of the built-in ones.",
        |trial| {
            let value = where_offered(trial, "_zerorpc_inspect", vec![])?;
            let methods = get(&value, "methods").and_then(Value::as_map).cloned();
            let names: Vec<String> = methods
                .unwrap_or_default()
                .iter()
                .filter_map(|(name, _)| name.as_str().map(str::to_owned))
                .collect();
            let has_add = names.iter().any(|name| name == "add");
            ensure(has_add, "add among the methods", names.join(", "))?;
            let is_built_in = names.iter().any(|name| name.starts_with("_zerorpc_"));
            ensure(!is_built_in, "no built-in method", names.join(", "))
        },
    ),
    should(
        "introspection.list.offered",
        "ZRPC-7.23",
        &[],
        "_zerorpc_list is offered: command line clients fall back on it. (Node has none.)",
        |trial| offered(trial, "_zerorpc_list", vec![]).map(drop),
    ),
    must(
        "introspection.list.form",
        "ZRPC-7.25",
        ADD,
        "_zerorpc_list answers an array of the names of all methods that are exposed.",
        |trial| {
            let names = names(trial)?;
            ensure(names.iter().any(|name| name == "add"), "add in the list", names.join(", "))?;
            let is_built_in = names.iter().any(|name| name.starts_with("_zerorpc_"));
            ensure(!is_built_in, "no built-in method", names.join(", "))
        },
    ),
    should("introspection.list.sorted", "ZRPC-7.25", &[], "_zerorpc_list is sorted.", |trial| {
        let names = names(trial)?;
        ensure(names.is_sorted(), "names in order", names.join(", "))
    }),
    should("introspection.name.offered", "ZRPC-7.23", &[], "_zerorpc_name is offered.", |trial| {
        offered(trial, "_zerorpc_name", vec![]).map(drop)
    }),
    must(
        "introspection.name.form",
        "ZRPC-7.26",
        &[],
        "_zerorpc_name answers a str, the name that _zerorpc_ping says.",
        |trial| {
            let name = where_offered(trial, "_zerorpc_name", vec![])?;
            ensure(name.is_str(), "a str", shown(&name))?;
            let ping = where_offered(trial, "_zerorpc_ping", vec![])?;
            let pinged = ping.as_array().and_then(|pong| pong.get(1)).cloned();
            ensure(pinged.as_ref() == Some(&name), shown(&name), shown(&ping))
        },
    ),
    should(
        "introspection.help.offered",
        "ZRPC-7.23",
        ADD,
        "_zerorpc_help(method) is offered.",
        |trial| offered(trial, "_zerorpc_help", vec![text("add")]).map(drop),
    ),
    must(
        "introspection.help.form",
        "ZRPC-7.26",
        ADD,
        "_zerorpc_help(method) answers a str or nil.",
        |trial| {
            let help = where_offered(trial, "_zerorpc_help", vec![text("add")])?;
            ensure(help.is_str() || help.is_nil(), "a str or nil", shown(&help))
        },
    ),
    should(
        "introspection.args.offered",
        "ZRPC-7.23",
        ADD,
        "_zerorpc_args(method) is offered.",
        |trial| offered(trial, "_zerorpc_args", vec![text("add")]).map(drop),
    ),
    must(
        "introspection.args.form",
        "ZRPC-7.26",
        ADD,
        "_zerorpc_args(method) answers [names, varargs, keywords, defaults], or nil.",
        |trial| {
            let args = where_offered(trial, "_zerorpc_args", vec![text("add")])?;
            let is_right = match args.as_array().map(Vec::as_slice) {
                Some([names, varargs, keywords, defaults]) => {
                    names.is_array()
                        && [varargs, keywords].iter().all(|name| name.is_str() || name.is_nil())
                        && (defaults.is_array() || defaults.is_nil())
                }
                _ => args.is_nil(),
            };
            ensure(is_right, "an array of four, or nil", shown(&args))
        },
    ),
    should(
        "introspection.help.unknown",
        "ZRPC-7.26",
        ADD,
        "_zerorpc_help of a method that is not there is the error KeyError.",
        |trial| {
            where_offered(trial, "_zerorpc_help", vec![text("add")])?;
            refused(trial, "_zerorpc_help", vec![text("no_such_method")], "KeyError")
        },
    ),
    should(
        "introspection.args.unknown",
        "ZRPC-7.26",
        ADD,
        "_zerorpc_args of a method that is not there is the error KeyError.",
        |trial| {
            where_offered(trial, "_zerorpc_args", vec![text("add")])?;
            refused(trial, "_zerorpc_args", vec![text("no_such_method")], "KeyError")
        },
    ),
    should(
        "introspection.arguments.ping",
        "ZRPC-7.27",
        &[],
        "_zerorpc_ping(1) is the error TypeError. (Node looks at no arguments.)",
        |trial| refused(trial, "_zerorpc_ping", vec![1.into()], "TypeError"),
    ),
    should(
        "introspection.arguments.inspect",
        "ZRPC-7.27",
        &[],
        "_zerorpc_inspect(method, long_doc) of version 2 is the error TypeError.",
        |trial| refused(trial, "_zerorpc_inspect", vec![text("add"), true.into()], "TypeError"),
    ),
    should(
        "introspection.arguments.help",
        "ZRPC-7.27",
        ADD,
        "_zerorpc_help() is the error TypeError.",
        |trial| {
            where_offered(trial, "_zerorpc_help", vec![text("add")])?;
            refused(trial, "_zerorpc_help", vec![], "TypeError")
        },
    ),
    should(
        "introspection.while-busy",
        "ZRPC-7.28",
        &["sleep"],
        "_zerorpc_ping is answered at once while fifty calls wait.",
        while_busy,
    ),
];

fn get<'a>(map: &'a Value, key: &str) -> Option<&'a Value> {
    let pairs = map.as_map()?;
    pairs.iter().find(|(present, _)| present.as_str() == Some(key)).map(|(_, value)| value)
}

/// The value of a built-in method, which has to be there.
fn offered(trial: &mut Trial, name: &str, args: Vec<Value>) -> Result<Value, Failure> {
    let mut peer = trial.connect()?;
    peer.call(name, args, trial.soon())
}

/// The same; without the method there is nothing to judge.
fn where_offered(trial: &mut Trial, name: &str, args: Vec<Value>) -> Result<Value, Failure> {
    offered(trial, name, args).map_err(|_| Failure::skip(format!("{name} is not offered")))
}

fn names(trial: &mut Trial) -> Result<Vec<String>, Failure> {
    let value = where_offered(trial, "_zerorpc_list", vec![])?;
    let names = value.as_array().and_then(|names| {
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
    });
    names.ok_or_else(|| Failure::new("an array of str", shown(&value)))
}

/// What is said of one method: `args`, an array of maps with `name` and perhaps `default`, and `doc`.
fn method_form(method: &Value, about: &Value) -> Result<(), Failure> {
    let seen = || format!("{}: {}", shown(method), shown(about));
    ensure(method.is_str(), "a str as name of a method", seen())?;
    let doc = get(about, "doc").is_some_and(|doc| doc.is_str() || doc.is_nil());
    ensure(doc, "doc to be a str or nil", seen())?;
    let args = get(about, "args").is_some_and(|args| match args.as_array() {
        Some(args) => args.iter().all(|arg| get(arg, "name").is_some_and(Value::is_str)),
        None => args.is_nil(),
    });
    ensure(args, "args to be an array of maps with a name, or nil", seen())
}

fn refused(trial: &mut Trial, name: &str, args: Vec<Value>, expected: &str) -> Result<(), Failure> {
    let mut peer = trial.connect()?;
    let channel = peer.request(name, args)?;
    let [seen, ..] = expect_err(&mut peer, &channel, trial.soon())?;
    ensure(seen == expected, format!("the error {expected}"), seen)
}

fn while_busy(trial: &mut Trial) -> Result<(), Failure> {
    let (mut busy, mut peer) = (trial.connect()?, trial.connect()?);
    for _ in 0..50 {
        busy.request("sleep", vec![Value::F64(2.0)])?;
    }
    let start = std::time::Instant::now();
    let value = peer.call("_zerorpc_ping", vec![], trial.soon())?;
    ensure(value.as_array().is_some_and(|pong| pong.len() == 2), "a pong", shown(&value))?;
    let took = start.elapsed();
    ensure(took.as_secs_f64() < 1.5, "an answer before those calls", format!("{took:?}"))?;
    Ok(())
}
