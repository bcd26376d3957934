//! The service of both servers, in our words; `tests/peers/python/compared.py` has it in Python.

use std::time::Duration;

use rmpv::Value;
use zerorpc::{
    Args, Argument, Failure, Method, Methods, Reply, Request, Server, Signature, TransportKind,
};

/// Methods of an object list `self`.
fn method(name: &str, arguments: impl IntoIterator<Item = Argument>) -> Method {
    Method::new(name).signature(signature(arguments))
}

fn signature(arguments: impl IntoIterator<Item = Argument>) -> Signature {
    Signature::new(std::iter::once(Argument::new("self")).chain(arguments))
}

fn names<const N: usize>(names: [&str; N]) -> [Argument; N] {
    names.map(Argument::new)
}

fn methods() -> Methods {
    let defaults = [
        Argument::new("a"),
        Argument::new("b").default_value(2),
        Argument::new("c").default_value("text"),
    ];
    Methods::new("Compared")
        .method(
            method("add", names(["a", "b"])).doc("Adds two numbers.\n\nOr joins two texts."),
            |a: Value, b: Value| add(&a, &b),
        )
        .raw(
            method("documented", defaults)
                .doc("First line of the documentation.\n\nSecond paragraph."),
            documented,
        )
        .method(method("echo", names(["value"])).doc("Returns its argument."), |value: Value| {
            Ok(value)
        })
        .raw(Method::new("echo_all").signature(signature([]).varargs("values")), |request| {
            if request.args().is_array() {
                Ok(Reply::Value(request.args().clone()))
            } else {
                Err(Failure::new("TypeError", "no list of arguments"))
            }
        })
        .stream(method("empty_stream", []), || Ok(Vec::<()>::new()))
        .method(method("fail", names(["kind"])), fail)
        .try_stream(method("failing_stream", names(["count"])), |count: Value| {
            let count = integer(&count)?;
            let failure = Err(Failure::new("ValueError", format!("failed after {count}")));
            Ok(range(count).map(Ok).chain([failure]))
        })
        .stream(method("items", names(["values"])), |values: Vec<Value>| Ok(values))
        .method(method("none", []), || Ok(()))
        .stream(
            method("numbers", names(["count"])).doc("Streams 0, 1, 2 and so on."),
            |count: Value| Ok(range(integer(&count)?)),
        )
}

fn add(a: &Value, b: &Value) -> Result<Value, Failure> {
    if let (Ok(a), Ok(b)) = (integer(a), integer(b)) {
        let too_large = || Failure::new("OverflowError", "no integer of msgpack");
        let small = |sum| i64::try_from(sum).map(Value::from);
        return small(a + b)
            .or_else(|_| u64::try_from(a + b).map(Value::from))
            .map_err(|_| too_large());
    }
    match (a, b) {
        (Value::Binary(a), Value::Binary(b)) => Ok(Value::Binary([&a[..], b].concat())),
        (Value::String(_), Value::String(_)) => {
            Ok([a, b].into_iter().filter_map(Value::as_str).collect::<String>().into())
        }
        _ => float(a)
            .zip(float(b))
            .map(|(a, b)| (a + b).into())
            .ok_or_else(|| Failure::new("TypeError", "these cannot be added")),
    }
}

fn float(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_bool().map(f64::from))
}

/// As many numbers, from 0 on.
fn range(count: i128) -> impl Iterator<Item = u64> + Send {
    0..u64::try_from(count.max(0)).unwrap_or(u64::MAX)
}

/// In Python, true is a 1.
fn integer(value: &Value) -> Result<i128, Failure> {
    let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    let number = number.or_else(|| value.as_bool().map(i128::from));
    number.ok_or_else(|| Failure::new("TypeError", "no integer"))
}

/// Arguments that may be left out, and not more of them.
fn documented(request: &Request) -> Result<Reply, Failure> {
    let given = request.args().elements();
    let Some(given) = given.filter(|given| (1..=3).contains(&given.len())) else {
        return Err(Failure::new("TypeError", "one to three arguments"));
    };
    let mut all: Vec<Value> = vec![Value::Nil, 2.into(), "text".into()];
    for (value, given) in all.iter_mut().zip(given) {
        *value = given.decode()?;
    }
    Ok(Reply::Value(Args::encode(&all)?))
}

fn fail(kind: String) -> Result<(), Failure> {
    Err(match &*kind {
        "value" => Failure::new("ValueError", "bad value"),
        "key" => Failure::new("KeyError", "'missing'"),
        "unicode" => Failure::new("ValueError", "naïve ☃"),
        "quotes" => Failure::new("ValueError", "it's \"so\""),
        "empty" => Failure::new("ValueError", ""),
        other => Failure::new("KeyError", format!("'{other}'")),
    })
}

/// A server of it on a free port, which has no reason to beat while a script is played.
pub(crate) fn serve(heartbeat: Duration) -> Server {
    Server::builder()
        .transport(TransportKind::Mio)
        .heartbeat(heartbeat)
        .service(methods())
        .bind("tcp://127.0.0.1:*")
        .build()
        .expect("a free port")
}
