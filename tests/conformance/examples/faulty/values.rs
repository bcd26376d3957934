//! Values of msgpack as JSON and back, as the contract has them.

use rmpv::Value;
use serde_json::{Value as Json, json};

/// Bytes are `{"$bin": HEX}`, extensions `{"$ext": [TYPE, HEX]}`, numbers that JSON lacks `{"$float": TEXT}`, and maps with
/// keys that are no text `{"$map": [[KEY, VALUE]…]}`.
pub(crate) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(value) => json!(value),
        Value::Integer(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => json!(value),
            (None, value) => json!(value),
        },
        Value::F32(value) => float(f64::from(*value)),
        Value::F64(value) => float(*value),
        Value::String(text) => match text.as_str() {
            Some(text) => json!(text),
            None => json!({ "$bin": hex(text.as_bytes()) }),
        },
        Value::Binary(bytes) => json!({ "$bin": hex(bytes) }),
        Value::Ext(kind, bytes) => json!({ "$ext": [kind, hex(bytes)] }),
        Value::Array(items) => items.iter().map(to_json).collect(),
        Value::Map(pairs) => {
            let text =
                |(key, value): &(Value, Value)| Some((key.as_str()?.to_owned(), to_json(value)));
            match pairs.iter().map(text).collect::<Option<serde_json::Map<_, _>>>() {
                Some(object) => Json::Object(object),
                None => {
                    let pair =
                        |(key, value): &(Value, Value)| json!([to_json(key), to_json(value)]);
                    json!({ "$map": pairs.iter().map(pair).collect::<Json>() })
                }
            }
        }
    }
}

fn float(value: f64) -> Json {
    if value.is_finite() { json!(value) } else { json!({ "$float": value.to_string() }) }
}

/// The other way round.
pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (_, Some(number), _) => number.into(),
            (.., number) => number.unwrap_or_default().into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => items.iter().map(from_json).collect::<Vec<_>>().into(),
        Json::Object(object) => tagged(object).unwrap_or_else(|| {
            let pair = |(key, value): (&String, &Json)| (key.as_str().into(), from_json(value));
            Value::Map(object.iter().map(pair).collect())
        }),
    }
}

fn tagged(object: &serde_json::Map<String, Json>) -> Option<Value> {
    let (tag, value) = object.iter().next().filter(|_| object.len() == 1)?;
    match tag.as_str() {
        "$bin" => Some(Value::Binary(bytes(value)?)),
        "$ext" => Some(Value::Ext(value.get(0)?.as_i64()?.try_into().ok()?, bytes(value.get(1)?)?)),
        "$float" => Some(value.as_str()?.parse::<f64>().ok()?.into()),
        "$map" => {
            let pair = |pair: &Json| Some((from_json(pair.get(0)?), from_json(pair.get(1)?)));
            value.as_array()?.iter().map(pair).collect::<Option<_>>().map(Value::Map)
        }
        _ => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &Json) -> Option<Vec<u8>> {
    let hex = hex.as_str()?;
    let digits = |start| u8::from_str_radix(hex.get(start..start + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(digits).collect()
}
