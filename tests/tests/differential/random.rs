//! Any script, made and made smaller by proptest.

use proptest::{collection::vec, prelude::*};
use rmpv::Value;

use crate::script::{Event, Id, Oddity, Request, Step};

fn scalar() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::from),
        (-40..40_i64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-4000..4000_i16).prop_map(|eighths| Value::F64(f64::from(eighths) / 8.0)),
        (-4000..4000_i16).prop_map(|eighths| Value::F32(f32::from(eighths) / 8.0)),
        "[a-c☃é]{0,6}".prop_map(Value::from),
        vec(any::<u8>(), 0..6).prop_map(Value::Binary),
        (-8..8_i8, vec(any::<u8>(), 0..6)).prop_map(|(code, data)| Value::Ext(code, data)),
    ]
    .boxed()
}

/// Any value; as keys of maps mostly what the reference takes.
fn value() -> BoxedStrategy<Value> {
    let key = prop_oneof![
        20 => "[a-e]{1,3}".prop_map(Value::from),
        4 => vec(any::<u8>(), 0..3).prop_map(Value::Binary),
        1 => scalar(),
    ];
    let key = key.boxed();
    scalar()
        .prop_recursive(3, 12, 4, move |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4).prop_map(Value::Array),
                vec((key.clone(), inner), 0..3).prop_map(unique_keys),
            ]
        })
        .boxed()
}

/// Python keeps the last of several equal keys.
fn unique_keys(pairs: Vec<(Value, Value)>) -> Value {
    let mut map: Vec<(Value, Value)> = Vec::new();
    for (key, value) in pairs {
        if !map.iter().any(|(present, _)| *present == key) {
            map.push((key, value));
        }
    }
    Value::Map(map)
}

fn call() -> BoxedStrategy<(&'static str, Vec<Value>)> {
    let few = 0..30_i64;
    let summand = || {
        prop_oneof![
            4 => any::<i64>().prop_map(Value::from),
            1 => any::<u64>().prop_map(Value::from),
            1 => "[a-c]{0,3}".prop_map(Value::from),
            1 => (-100..100_i8).prop_map(|eighths| Value::F64(f64::from(eighths) / 8.0)),
            1 => Just(Value::Nil),
        ]
    };
    let any_name = proptest::sample::select(
        &[
            "add",
            "documented",
            "echo",
            "echo_all",
            "none",
            "numbers",
            "nowhere",
            "_echo",
            "bind",
            "_zerorpc_name",
        ][..],
    );
    let builtin = proptest::sample::select(
        &[
            "_zerorpc_ping",
            "_zerorpc_name",
            "_zerorpc_list",
            "_zerorpc_inspect",
            "_zerorpc_help",
            "_zerorpc_args",
        ][..],
    );
    let about = prop_oneof![
        3 => any_name.clone().prop_map(|name| vec![Value::from(name)]),
        1 => Just(vec![]),
        1 => vec(scalar(), 1..3),
    ];
    let kind =
        proptest::sample::select(&["value", "key", "unicode", "quotes", "empty", "other"][..]);
    prop_oneof![
        4 => value().prop_map(|value| ("echo", vec![value])),
        2 => (summand(), summand()).prop_map(|(a, b)| ("add", vec![a, b])),
        2 => vec(value(), 0..4).prop_map(|values| ("echo_all", values)),
        1 => Just(("none", vec![])),
        2 => kind.prop_map(|kind| ("fail", vec![kind.into()])),
        6 => few.clone().prop_map(|count| ("numbers", vec![count.into()])),
        2 => few.prop_map(|count| ("failing_stream", vec![count.into()])),
        1 => vec(value(), 0..6).prop_map(|values| ("items", vec![Value::Array(values)])),
        1 => Just(("empty_stream", vec![])),
        1 => vec(value(), 0..5).prop_map(|values| ("documented", values)),
        2 => (any_name, vec(scalar(), 0..4)),
        3 => (builtin, about),
    ]
    .boxed()
}

fn id() -> impl Strategy<Value = Id> {
    prop_oneof![
        20 => Just(Id::Bin),
        10 => Just(Id::Text),
        4 => Just(Id::Int),
        3 => Just(Id::Ext),
        1 => Just(Id::Float),
        1 => Just(Id::Long),
        1 => Just(Id::Nil),
        1 => Just(Id::Array),
        1 => Just(Id::Map),
    ]
}

fn version() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => Just(Value::Nil),
        4 => Just(1.into()),
        8 => Just(2.into()),
        1 => (4..9_i64).prop_map(Value::from),
        1 => (-2..1_i64).prop_map(Value::from),
        1 => scalar(),
    ]
    .boxed()
}

fn oddity() -> BoxedStrategy<Oddity> {
    let frames = vec(vec(any::<u8>(), 0..6), 1..4);
    let key = prop_oneof![4 => "[a-c_]{1,8}".prop_map(Value::from), 1 => scalar()];
    prop_oneof![
        60 => Just(Oddity::None),
        16 => version().prop_map(Oddity::Version),
        4 => (key, value()).prop_map(|(key, value)| Oddity::Header(key, value)),
        1 => Just(Oddity::Header("response_to".into(), Value::Nil)),
        1 => value().prop_map(Oddity::Name),
        1 => Just(Oddity::Name(Value::Binary(b"echo".to_vec()))),
        2 => value().prop_map(Oddity::Args),
        1 => scalar().prop_map(Oddity::NoHeader),
        1 => Just(Oddity::WithoutId),
        1 => Just(Oddity::KeysAsBin),
        1 => (0..6_usize).prop_filter("another number", |count| *count != 3).prop_map(Oddity::Elements),
        2 => (1..80_usize).prop_map(Oddity::Cut),
        2 => vec(any::<u8>(), 1..6).prop_map(Oddity::Trailing),
        3 => Just(Oddity::LongForms),
        1 => Just(Oddity::NoText),
        1 => (1..700_usize).prop_map(Oddity::Deep),
        3 => frames.prop_map(Oddity::Envelope),
        2 => vec(any::<u8>(), 1..4).prop_map(Oddity::Delimiter),
        2 => Just(Oddity::NoDelimiter),
    ].boxed()
}

fn request() -> BoxedStrategy<Request> {
    (call(), id(), oddity())
        .prop_map(|((method, args), id, oddity)| Request { method, args, id, oddity })
        .boxed()
}

/// The arguments of a grant.
fn grant() -> BoxedStrategy<Value> {
    let list = |value: Value| Value::Array(vec![value]);
    prop_oneof![
        16 => (1..14_i64).prop_map(move |more| list(more.into())),
        1 => (-3..1_i64).prop_map(move |more| list(more.into())),
        2 => scalar().prop_map(list),
        1 => scalar(),
        1 => Just(Value::Array(vec![])),
    ]
    .boxed()
}

fn event() -> BoxedStrategy<Event> {
    let name = proptest::sample::select(&["STREAM", "OK", "ERR", "STREAM_DONE", "echo", "odd"][..]);
    let again = call().prop_map(|(method, args)| Request::new(method, args));
    let again = again.prop_filter("both servers answer it", Request::is_answered);
    let astray = scalar().prop_filter("nil is nothing", |to| !to.is_nil());
    prop_oneof![
        12 => request().prop_map(Event::Request),
        1 => (any::<usize>(), again).prop_map(|(index, request)| Event::Again(index, request)),
        8 => (any::<usize>(), grant()).prop_map(|(index, args)| Event::On(index, "_zpc_more", args)),
        3 => (any::<usize>(), grant()).prop_map(|(index, args)| Event::On(index, "_zpc_hb", args)),
        1 => (any::<usize>(), name.clone(), value())
            .prop_map(|(index, name, args)| Event::On(index, name, args)),
        1 => (astray, name, value()).prop_map(|(to, name, args)| Event::Astray(to, name, args)),
    ].boxed()
}

/// Any script.
pub(crate) fn script() -> impl Strategy<Value = Vec<Step>> {
    let step = (event(), proptest::bool::weighted(0.05));
    vec(step.prop_map(|(event, at_once)| Step { event, at_once }), 1..10).prop_map(|mut steps| {
        // More than two at a time, around the end of a stream, make the reference deaf.
        for index in 1..steps.len() {
            steps[index].at_once &= !steps[index - 1].at_once;
        }
        steps
    })
}
