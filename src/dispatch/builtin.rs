//! The methods that every service has (protocol section 7).

use std::collections::BTreeMap;

use rmpv::Value;
use zerorpc_proto::Args;

use crate::{
    authorize::Guarded,
    failure::{Failure, shown},
    request::Request,
    service::{Argument, Method, Reply, Signature},
};

/// Whether [`answer`] knows a method.
#[cfg(any(feature = "mio", feature = "zmq"))]
pub(crate) fn is_builtin(method: &str) -> bool {
    matches!(
        method,
        "_zerorpc_ping"
            | "_zerorpc_name"
            | "_zerorpc_list"
            | "_zerorpc_help"
            | "_zerorpc_args"
            | "_zerorpc_inspect"
    )
}

/// Answers a request: built-in methods here, all others by the service.
pub(super) fn answer(service: &Guarded<'_>, request: &Request) -> Result<Reply, Failure> {
    let value = match request.method() {
        "_zerorpc_ping" => ping(service, request)?,
        "_zerorpc_name" => name(service, request)?,
        "_zerorpc_list" => list(service, request)?,
        "_zerorpc_help" => optional_text(named(service, request)?.doc),
        "_zerorpc_args" => named(service, request)?.signature.map_or(Value::Nil, argspec),
        "_zerorpc_inspect" => inspect(service, request)?,
        method => {
            service.check(request, method)?;
            return service.service.call(request);
        }
    };
    Ok(Reply::Value(Args::encode(&value)?))
}

/// Exactly so many arguments: built-in methods have no optional ones, and take no more (reference behaviour).
fn arguments<const COUNT: usize>(request: &Request) -> Result<[Args; COUNT], Failure> {
    let given = request.args().elements();
    let count = given.as_ref().map(Vec::len);
    given.and_then(|given| given.try_into().ok()).ok_or_else(|| {
        let takes = if COUNT == 0 { "no arguments" } else { "one argument" };
        let given = match count {
            None => "was not called with a list".to_owned(),
            Some(1) => "was given one".to_owned(),
            Some(count) => format!("was given {count}"),
        };
        Failure::new("TypeError", format!("{}() takes {takes} but {given}", request.method()))
    })
}

fn ping(service: &Guarded<'_>, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    Ok(Value::Array(vec!["pong".into(), service.service.name().into()]))
}

fn name(service: &Guarded<'_>, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    Ok(service.service.name().into())
}

fn list(service: &Guarded<'_>, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    let mut names: Vec<String> =
        service.methods(request)?.into_iter().map(|method| method.name).collect();
    names.sort_unstable();
    Ok(Value::Array(names.into_iter().map(Value::from).collect()))
}

/// The method that the only argument names.
fn named(service: &Guarded<'_>, request: &Request) -> Result<Method, Failure> {
    let [name] = arguments(request)?;
    let name: String = name.decode().map_err(|_| {
        Failure::new("TypeError", format!("{}() takes the name of a method", request.method()))
    })?;
    service.check(request, &name)?;
    let found = service.methods(request)?.into_iter().find(|method| method.name == name);
    found.ok_or_else(|| Failure::new("KeyError", format!("'{}'", shown(&name))))
}

/// `[names, varargs, keywords, defaults]`, as Python's `getargspec` has them, and where there are keyword-only
/// arguments their names and a map of their defaults, as `getfullargspec` goes on.
fn argspec(signature: Signature) -> Value {
    let Signature { arguments, varargs, keywords, keyword_only } = signature;
    let defaults: Vec<Value> =
        arguments.iter().filter_map(|argument| argument.default.clone()).collect();
    let mut spec = vec![
        names(&arguments),
        optional_text(varargs),
        optional_text(keywords),
        if defaults.is_empty() { Value::Nil } else { Value::Array(defaults) },
    ];
    if !keyword_only.is_empty() {
        spec.push(names(&keyword_only));
        let defaults = keyword_only
            .into_iter()
            .filter_map(|Argument { name, default }| Some((name.into(), default?)));
        spec.push(Value::Map(defaults.collect()));
    }
    Value::Array(spec)
}

fn names(arguments: &[Argument]) -> Value {
    Value::Array(arguments.iter().map(|argument| argument.name.as_str().into()).collect())
}

/// All parameters in one list, as Python writes them: other than positional ones are told by their names.
fn parameters(signature: Signature) -> Value {
    let Signature { arguments, varargs, keywords, keyword_only } = signature;
    let named = |name| Argument { name, default: None };
    let star = match varargs {
        Some(varargs) => Some(format!("*{varargs}")),
        None if keyword_only.is_empty() => None,
        None => Some("*".to_owned()),
    };
    let keywords = keywords.map(|keywords| format!("**{keywords}"));
    let all = arguments.into_iter().chain(star.map(named)).chain(keyword_only);
    Value::Array(all.chain(keywords.map(named)).map(argument).collect())
}

fn inspect(service: &Guarded<'_>, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    // Sorted: the same service always looks the same.
    let methods: BTreeMap<String, Value> = service
        .methods(request)?
        .into_iter()
        .map(|Method { name, doc, signature }| {
            let arguments = signature.map_or(Value::Nil, parameters);
            (name, map([("args", arguments), ("doc", optional_text(doc))]))
        })
        .collect();
    let methods = methods.into_iter().map(|(name, shown)| (Value::from(name), shown)).collect();
    Ok(map([("name", service.service.name().into()), ("methods", Value::Map(methods))]))
}

fn argument(argument: Argument) -> Value {
    match argument.default {
        None => map([("name", argument.name.into())]),
        Some(default) => map([("name", argument.name.into()), ("default", default)]),
    }
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn optional_text(text: Option<String>) -> Value {
    text.map_or(Value::Nil, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, default: Option<Value>) -> Argument {
        Argument { name: name.to_owned(), default }
    }

    fn shown(value: &Value) -> String {
        value.to_string().replace('"', "")
    }

    #[test]
    fn signatures_are_told_as_python_writes_them() {
        let plain = vec![of("a", None), of("b", Some(2.into()))];
        let only = vec![of("c", None), of("d", Some("text".into()))];
        let rest = || Some("rest".to_owned());
        let more = || Some("more".to_owned());
        let signature = |arguments: &[_], varargs, keywords, keyword_only: &[_]| Signature {
            arguments: arguments.to_vec(),
            varargs,
            keywords,
            keyword_only: keyword_only.to_vec(),
        };
        for (signature, inspected, spec) in [
            (Signature::default(), "", "[[], nil, nil, nil]"),
            (signature(&plain, None, None, &[]), "a b=2", "[[a, b], nil, nil, [2]]"),
            (
                signature(&plain, rest(), more(), &[]),
                "a b=2 *rest **more",
                "[[a, b], rest, more, [2]]",
            ),
            (
                signature(&[], rest(), None, &only),
                "*rest c d=text",
                "[[], rest, nil, nil, [c, d], {d: text}]",
            ),
            (
                signature(&plain, None, more(), &only[..1]),
                "a b=2 * c **more",
                "[[a, b], nil, more, [2], [c], {}]",
            ),
        ] {
            let told = parameters(signature.clone());
            let entries: Vec<String> = told
                .as_array()
                .expect("is a list")
                .iter()
                .map(|entry| match (&entry["name"], &entry["default"]) {
                    (name, Value::Nil) => shown(name),
                    (name, default) => format!("{}={}", shown(name), shown(default)),
                })
                .collect();
            assert_eq!(entries.join(" "), inspected);
            assert_eq!(shown(&argspec(signature)), spec);
        }
    }
}
