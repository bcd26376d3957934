//! Scripts that show the rows of the table, one each.

use rmpv::Value;

use crate::script::{Event, Id, Oddity, Request, Step};

/// A step that is sent when the server has looked at those before.
fn step(event: Event) -> Step {
    Step { event, at_once: false }
}

fn request(method: &'static str, args: Vec<Value>) -> Request {
    Request::new(method, args)
}

/// A script of a single request.
fn one(request: Request) -> Vec<Step> {
    vec![step(Event::Request(request))]
}

fn odd(method: &'static str, args: Vec<Value>, oddity: Oddity) -> Vec<Step> {
    one(request(method, args).odd(oddity))
}

/// A stream of ten, and grants with these arguments.
fn granted(grants: impl IntoIterator<Item = Value>) -> Vec<Step> {
    let mut steps = one(request("numbers", vec![10.into()]));
    steps.extend(grants.into_iter().map(|args| step(Event::On(0, "_zpc_more", args))));
    steps
}

fn list(value: impl Into<Value>) -> Value {
    Value::Array(vec![value.into()])
}

/// The script of each row, by its name, in the order of the table.
pub(crate) fn scripts() -> Vec<(&'static str, Vec<Step>)> {
    let odd_map = Value::Map(vec![(1.into(), "one".into())]);
    vec![
        ("nil-id", one(request("none", vec![]).id(Id::Nil))),
        ("map-keys", one(request("echo", vec![odd_map]))),
        ("ext-below-zero", one(request("echo", vec![Value::Ext(-5, vec![1])]))),
        ("left-out-argument", one(request("echo", vec![]))),
        ("name-as-bin", odd("none", vec![], Oddity::Name(Value::Binary(b"none".to_vec())))),
        ("name-no-text", odd("none", vec![], Oddity::Name(5.into()))),
        ("args-no-array", odd("echo", vec![], Oddity::Args("x".into()))),
        ("version-no-number", odd("none", vec![], Oddity::Version("three".into()))),
        ("deep", odd("none", vec![], Oddity::Deep(600))),
        ("broken-request", odd("echo", vec!["cut".into()], Oddity::Cut(2))),
        ("error-of-version-1", odd("fail", vec!["key".into()], Oddity::Version(1.into()))),
        ("help-of-bytes", one(request("_zerorpc_help", vec![Value::Binary(b"echo".to_vec())]))),
        ("help-of-no-text", one(request("_zerorpc_help", vec![5.into()]))),
        ("help-of-built-in", one(request("_zerorpc_help", vec!["_zerorpc_ping".into()]))),
        ("inspected-varargs", one(request("_zerorpc_inspect", vec![]))),
        ("negative-grant", granted([list(-4), list(6)])),
        ("credit-by-truth", granted([list(true)])),
        ("credit-in-bytes", granted([Value::Binary(vec![3])])),
        ("bare-credit", granted([5.into()])),
        ("at-once", at_once()),
        ("reused-id", reused()),
    ]
}

fn at_once() -> Vec<Step> {
    let mut steps = granted([list(3)]);
    steps[1].at_once = true;
    steps
}

/// Two streams with one id that come by different ways, and credit for the first.
fn reused() -> Vec<Step> {
    let way = Oddity::Envelope(vec![b"way".to_vec()]);
    let mut steps = odd("numbers", vec![10.into()], way);
    steps.push(step(Event::Again(0, request("numbers", vec![20.into()]))));
    steps.push(step(Event::On(0, "_zpc_more", list(5))));
    steps
}
