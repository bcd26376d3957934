//! Values and answers as text, which patterns of the table are compared with.

use std::fmt::Write as _;

use rmpv::Value;

/// A value as it is told: like JSON, bin as `x'00ff'`, and a map as odd that has other keys than text and bytes. Numbers of the same value and kind are told alike.
pub(crate) fn told(value: &Value) -> String {
    match value {
        Value::F32(float) => format!("{:?}", f64::from(*float)),
        Value::F64(float) => format!("{float:?}"),
        Value::String(text) => match text.as_str() {
            Some(text) => format!("{text:?}"),
            None => format!("text of {}", hex(text.as_bytes())),
        },
        Value::Binary(bytes) => hex(bytes),
        Value::Ext(code, bytes) => format!("ext({code}, {})", hex(bytes)),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(told).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(pairs) => {
            let start = if pairs.iter().all(|(key, _)| is_text(key)) { "" } else { "odd " };
            let pairs: Vec<_> = pairs
                .iter()
                .map(|(key, value)| format!("{}: {}", told(key), told(value)))
                .collect();
            format!("{start}{{{}}}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}

/// What the reference takes as the key of a map.
pub(crate) fn is_text(key: &Value) -> bool {
    key.is_str() || key.is_bin()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::from("x'");
    for byte in bytes {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text + "'"
}

/// A value with all lengths and integers in their longest forms.
pub(crate) fn long_forms(value: &Value) -> Vec<u8> {
    let with_length = |code: u8, count: usize| {
        let mut bytes = vec![code];
        bytes.extend((count as u32).to_be_bytes());
        bytes
    };
    match value {
        Value::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => [&[0xd3], &number.to_be_bytes()[..]].concat(),
            (_, number) => [&[0xcf], &number.unwrap_or_default().to_be_bytes()[..]].concat(),
        },
        Value::String(text) => {
            [&with_length(0xdb, text.as_bytes().len())[..], text.as_bytes()].concat()
        }
        Value::Binary(bytes) => [&with_length(0xc6, bytes.len())[..], bytes].concat(),
        Value::Array(items) => {
            let mut bytes = with_length(0xdd, items.len());
            items.iter().for_each(|item| bytes.extend(long_forms(item)));
            bytes
        }
        Value::Map(pairs) => {
            let mut bytes = with_length(0xdf, pairs.len());
            for (key, value) in pairs {
                bytes.extend(long_forms(key));
                bytes.extend(long_forms(value));
            }
            bytes
        }
        Value::Ext(code, data) => {
            let mut bytes = with_length(0xc9, data.len());
            bytes.extend(code.to_be_bytes());
            bytes.extend(data);
            bytes
        }
        other => zerorpc_tests::world::raw_event::encode(other).to_vec(),
    }
}

/// An answer as it is told: what may differ between implementations is left out.
pub(crate) fn answer(name: &str, args: &Value) -> String {
    match (name, args.as_array().map(Vec::as_slice)) {
        ("ERR", Some([class, message, traceback])) => {
            let empty = traceback.as_str().is_none_or(str::is_empty);
            let class = class.as_str().unwrap_or("?");
            // Errors that implementations make themselves have their own words.
            let message = match class {
                "TypeError" | "OverflowError" => "...".to_owned(),
                _ => message.as_str().map_or_else(|| told(message), str::to_owned),
            };
            format!("ERR {class}: {message}{}", if empty { " without traceback" } else { "" })
        }
        ("ERR", Some([text])) => {
            let text = text.as_str().map_or_else(|| told(text), str::to_owned);
            let own =
                ["TypeError(", "OverflowError("].into_iter().find(|own| text.starts_with(own));
            format!("ERR of version 1 {}", own.map_or(text.clone(), |own| format!("{own}...)")))
        }
        // One writes nil, the other may write an empty array.
        ("STREAM_DONE", _) => name.to_owned(),
        _ => format!("{name} {}", told(args)),
    }
}

/// An answer, and the envelope in which it came, if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) by: Option<String>,
}

/// All answers of a channel in one text, in which runs of items are told by their first and last.
pub(crate) fn answers(answers: &[Answer]) -> String {
    let mut parts: Vec<(String, Option<i64>, &Option<String>)> = Vec::new();
    for Answer { text, by } in answers {
        let this = text.strip_prefix("STREAM ").and_then(|item| item.parse::<i64>().ok());
        match parts.last_mut() {
            Some((run, Some(last), route)) if this == Some(*last + 1) && *route == by => {
                let first = run.split("..").next().unwrap_or_default().to_owned();
                *last += 1;
                *run = format!("{first}..{last}");
            }
            _ => parts.push((text.clone(), this, by)),
        }
    }
    if parts.is_empty() {
        return "nothing".to_owned();
    }
    let told = parts.into_iter().map(|(text, _, by)| match by {
        Some(by) => format!("{text} by {by}"),
        None => text,
    });
    told.collect::<Vec<_>>().join(", ")
}

/// Bytes as they are told: of many that are alike, their number.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    match bytes {
        [first, .., last] if bytes.len() > 12 && first == last => {
            format!("{}*{}", bytes.len(), [*first].escape_ascii())
        }
        _ => format!("'{}'", bytes.escape_ascii()),
    }
}
