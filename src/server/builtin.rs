//! The methods that every service has (protocol section 7).

use std::collections::BTreeMap;

use rmpv::Value;
use zerorpc_proto::Args;

use crate::{
    failure::Failure,
    request::Request,
    service::{Method, Reply, Service, Signature},
};

/// Answers a request: built-in methods here, all others by the service.
pub(super) fn answer(service: &dyn Service, request: &Request) -> Result<Reply, Failure> {
    let value = match request.method() {
        "_zerorpc_ping" => ping(service, request)?,
        "_zerorpc_name" => name(service, request)?,
        "_zerorpc_list" => list(service, request)?,
        "_zerorpc_help" => optional_text(named(service, request)?.doc),
        "_zerorpc_args" => named(service, request)?.signature.map_or(Value::Nil, argspec),
        "_zerorpc_inspect" => inspect(service, request)?,
        _ => return service.call(request),
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

fn ping(service: &dyn Service, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    Ok(Value::Array(vec!["pong".into(), service.name().into()]))
}

fn name(service: &dyn Service, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    Ok(service.name().into())
}

fn list(service: &dyn Service, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    let mut names: Vec<String> = service.methods()?.into_iter().map(|method| method.name).collect();
    names.sort_unstable();
    Ok(Value::Array(names.into_iter().map(Value::from).collect()))
}

/// The method that the only argument names.
fn named(service: &dyn Service, request: &Request) -> Result<Method, Failure> {
    let [name] = arguments(request)?;
    let name: String = name.decode().map_err(|_| {
        Failure::new("TypeError", format!("{}() takes the name of a method", request.method()))
    })?;
    let found = service.methods()?.into_iter().find(|method| method.name == name);
    found.ok_or_else(|| Failure::new("KeyError", format!("'{name}'")))
}

/// `[names, varargs, keywords, defaults]`, as Python's `getargspec` has them.
fn argspec(signature: Signature) -> Value {
    let Signature { arguments, varargs, keywords } = signature;
    let defaults: Vec<Value> =
        arguments.iter().filter_map(|argument| argument.default.clone()).collect();
    Value::Array(vec![
        Value::Array(arguments.into_iter().map(|argument| argument.name.into()).collect()),
        optional_text(varargs),
        optional_text(keywords),
        if defaults.is_empty() { Value::Nil } else { Value::Array(defaults) },
    ])
}

fn inspect(service: &dyn Service, request: &Request) -> Result<Value, Failure> {
    let [] = arguments(request)?;
    // Sorted: the same service always looks the same.
    let methods: BTreeMap<String, Value> = service
        .methods()?
        .into_iter()
        .map(|Method { name, doc, signature }| {
            let arguments = signature.map_or(Value::Nil, |signature| {
                Value::Array(signature.arguments.into_iter().map(argument).collect())
            });
            (name, map([("args", arguments), ("doc", optional_text(doc))]))
        })
        .collect();
    let methods = methods.into_iter().map(|(name, shown)| (Value::from(name), shown)).collect();
    Ok(map([("name", service.name().into()), ("methods", Value::Map(methods))]))
}

fn argument(argument: crate::service::Argument) -> Value {
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
