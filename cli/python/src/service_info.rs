//! What the child tells of the served object, and other texts it sends.

use bytes::Bytes;
use rmpv::Value;
use zerorpc::{Argument, Failure, Method, Signature};

/// The name and the methods of the served object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ServiceInfo {
    pub(super) name: String,
    pub(super) methods: Vec<Method>,
}

impl ServiceInfo {
    /// Reads `[name, [[method, doc, signature]...]]`, where a signature is nil or
    /// `[[[argument, default?]...], varargs, keywords, keyword-only arguments as the first?]`.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let [name, methods] = array(value(body)?)?;
        let methods = list(methods)?.into_iter().map(method).collect::<Option<_>>()?;
        Some(Self { name: text(name)?, methods })
    }
}

fn method(listed: Value) -> Option<Method> {
    let [name, doc, arguments] = array(listed)?;
    let signature = match arguments {
        Value::Nil => None,
        arguments => Some(signature(arguments)?),
    };
    let mut method = Method::new(text(name)?);
    (method.doc, method.signature) = (text(doc), signature);
    Some(method)
}

fn signature(listed: Value) -> Option<Signature> {
    let mut parts = list(listed)?.into_iter();
    let mut signature = Signature::new(arguments(parts.next()?)?);
    signature.varargs = text(parts.next()?);
    signature.keywords = text(parts.next()?);
    signature.keyword_only = parts.next().map_or(Some(vec![]), arguments)?;
    parts.next().is_none().then_some(signature)
}

fn arguments(listed: Value) -> Option<Vec<Argument>> {
    list(listed)?.into_iter().map(argument).collect()
}

fn argument(listed: Value) -> Option<Argument> {
    let mut parts = list(listed)?.into_iter();
    let mut argument = Argument::new(text(parts.next()?)?);
    argument.default = parts.next();
    Some(argument)
}

/// The failure that a frame carries, and whether a method has raised it: `[name, message, traceback, raised]`.
pub(super) fn failure(body: &Bytes) -> (Failure, bool) {
    let mut parts = value(body).and_then(list).unwrap_or_default();
    let is_raised = parts.get(3).and_then(Value::as_bool).unwrap_or(false);
    parts.truncate(3);
    let mut texts = parts.into_iter().map(|part| text(part).unwrap_or_default());
    let mut next = || texts.next().unwrap_or_default();
    let (name, message) = (next(), next());
    (Failure::new(name, message).with_traceback(next()), is_raised)
}

/// An array of texts; what is missing is empty.
pub(super) fn texts<const N: usize>(body: &[u8]) -> [String; N] {
    let mut texts = value(body).and_then(list).unwrap_or_default().into_iter().map(text);
    std::array::from_fn(|_| texts.next().flatten().unwrap_or_default())
}

fn value(body: &[u8]) -> Option<Value> {
    rmpv::decode::read_value(&mut &body[..]).ok()
}

fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items),
        _ => None,
    }
}

fn array<const N: usize>(value: Value) -> Option<[Value; N]> {
    list(value)?.try_into().ok()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => text.into_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        rmpv::encode::write_value(&mut out, value).expect("a Vec takes everything");
        out
    }

    fn listed(items: impl Into<Vec<Value>>) -> Value {
        Value::Array(items.into())
    }

    #[test]
    fn reads_names_docs_and_signatures() {
        let arguments = listed([listed(["a".into()]), listed(["b".into(), Value::Nil])]);
        let only = listed([listed(["c".into(), 3.into()])]);
        let body = encode(&listed([
            "time".into(),
            listed([
                listed([
                    "f".into(),
                    "Does.".into(),
                    listed([arguments, "rest".into(), Value::Nil]),
                ]),
                listed(["g".into(), Value::Nil, Value::Nil]),
                listed([
                    "h".into(),
                    Value::Nil,
                    listed([listed([]), Value::Nil, Value::Nil, only]),
                ]),
            ]),
        ]));
        let info = ServiceInfo::decode(&body).expect("describes a service");
        assert_eq!(info.name, "time");
        let arguments = [Argument::new("a"), Argument::new("b").default_value(Value::Nil)];
        let signature = Signature::new(arguments).varargs("rest");
        let f = Method::new("f").doc("Does.").signature(signature);
        let g = Method::new("g");
        let signature = Signature::default().keyword_only([Argument::new("c").default_value(3)]);
        let h = Method::new("h").signature(signature);
        assert_eq!(info.methods, [f, g, h]);
    }

    #[test]
    fn anything_else_describes_no_service() {
        for value in [Value::Nil, listed([]), listed(["x".into(), Value::Nil])] {
            assert_eq!(ServiceInfo::decode(&encode(&value)), None, "{value}");
        }
        assert_eq!(ServiceInfo::decode(b""), None);
    }

    #[test]
    fn missing_texts_are_empty() {
        let body = encode(&listed(["NameError".into(), Value::Nil]));
        assert_eq!(failure(&body.into()), (Failure::new("NameError", ""), false));
    }
}
