//! The shapes in which services describe themselves (protocol sections 7 and 8).

use rmpv::Value;

use super::{Method, Service};
use crate::{exit::CliError, render::json};

/// The name of a service that does not tell its name.
pub(super) const NAMELESS: &str = "N/A";

impl Service {
    /// From the answer to `_zerorpc_inspect`: methods as a map (version 3) or as an array (version 2).
    pub(super) fn read(description: &Value) -> Result<Self, CliError> {
        let name = field(description, "name").and_then(text).unwrap_or_else(|| NAMELESS.to_owned());
        let methods = match field(description, "methods") {
            Some(Value::Map(methods)) => methods.iter().filter_map(Method::from_entry).collect(),
            Some(Value::Array(methods)) => methods.iter().filter_map(Method::from_row).collect(),
            _ => return Err(not_understood()),
        };
        Ok(Self { name, methods })
    }
}

impl Method {
    /// `name: {"args": [{"name", "default"?}…] or nil, "doc"}`.
    fn from_entry((name, details): &(Value, Value)) -> Option<Self> {
        let arguments = field(details, "args").and_then(Value::as_array);
        let signature = arguments.map(|arguments| arguments.iter().map(argument).collect());
        Some(Self { name: text(name)?, signature, doc: field(details, "doc").and_then(doc) })
    }

    /// `[name, argspec, doc]`.
    fn from_row(row: &Value) -> Option<Self> {
        let row = row.as_array()?;
        let signature = row.get(1).and_then(argspec);
        Some(Self { name: row.first().and_then(text)?, signature, doc: row.get(2).and_then(doc) })
    }
}

/// The answer to `_zerorpc_list`.
pub(super) fn names(list: &Value) -> Result<Vec<String>, CliError> {
    let names = list.as_array().ok_or_else(not_understood)?;
    Ok(names.iter().filter_map(text).collect())
}

/// `[[names], varargs or nil, keywords or nil, [defaults of the last names] or nil]`, and maybe
/// `[keyword-only names], {their defaults}`.
pub(super) fn argspec(spec: &Value) -> Option<Vec<String>> {
    let spec = spec.as_array()?;
    let names = spec.first()?.as_array()?;
    let defaults = spec.get(3).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let required = names.len().saturating_sub(defaults.len());
    let defaults = std::iter::repeat_n(None, required).chain(defaults.iter().map(Some));
    let mut parameters: Vec<_> =
        names.iter().zip(defaults).map(|(name, default)| parameter(name, default)).collect();
    let only = spec.get(4).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let starred =
        |index, stars| spec.get(index).and_then(text).map(|name: String| format!("{stars}{name}"));
    parameters.extend(starred(1, "*").or_else(|| (!only.is_empty()).then(|| "*".to_owned())));
    for name in only {
        let default = text(name).and_then(|name| field(spec.get(5)?, &name));
        parameters.push(parameter(name, default));
    }
    parameters.extend(starred(2, "**"));
    Some(parameters)
}

/// Documentation without blank lines around it; what is empty counts as missing.
pub(super) fn doc(doc: &Value) -> Option<String> {
    let doc = text(doc)?;
    let doc = doc.trim();
    (!doc.is_empty()).then(|| doc.to_owned())
}

/// Text, also as bytes: peers on Python 2 send it so.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        Value::Binary(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    }
}

/// `{"name": …, "default"?: …}`.
fn argument(argument: &Value) -> String {
    parameter(field(argument, "name").unwrap_or(argument), field(argument, "default"))
}

/// `name` or `name=default`. A default of nil is not shown, and text has no quotes, as in the reference.
fn parameter(name: &Value, default: Option<&Value>) -> String {
    let plain = |value| text(value).unwrap_or_else(|| json::to_string(value));
    match default {
        None | Some(Value::Nil) => plain(name),
        Some(default) => format!("{}={}", plain(name), plain(default)),
    }
}

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    let named = |key: &Value| text(key).is_some_and(|key| key == name);
    map.as_map()?.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
}

fn not_understood() -> CliError {
    CliError::failed(
        "the service describes its methods in a form that is not understood; methods can still be called by name",
    )
}
