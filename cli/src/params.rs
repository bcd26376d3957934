//! Parameters from the command line: text as it is, or JSON in the forms of [`crate::extended_json`].

use std::ffi::OsStr;

use base64::{Engine, engine::general_purpose::STANDARD};
use rmpv::Value;

use crate::extended_json::{self, BIN, EXT, FLOAT, FLOATS, TIMESTAMP, timestamp};

/// Why a parameter is not the JSON it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ParamError {
    #[error("it is not valid UTF-8")]
    NotText,
    #[error("{0} (with --json, text needs its quotes: '\"text\"')")]
    Json(#[from] serde_json::Error),
    #[error("{0} does not fit into 64 bits, which is the most a message can carry")]
    TooBig(String),
    #[error("{form:?} must hold {wanted}")]
    Form { form: String, wanted: &'static str },
}

/// A parameter as text; what is not UTF-8, such as some file names, is sent as bytes.
pub(crate) fn text(param: &OsStr) -> Value {
    match param.to_str() {
        Some(text) => text.into(),
        None => Value::Binary(param.as_encoded_bytes().to_vec()),
    }
}

/// A parameter as JSON.
pub(crate) fn json(param: &OsStr) -> Result<Value, ParamError> {
    let text = param.to_str().ok_or(ParamError::NotText)?;
    let value = serde_json::from_str(text)?;
    check_integers(text)?;
    resolve(value)
}

/// Refuses integers beyond 64 bits, which the JSON reader would silently turn into floats.
///
/// `text` is known to be valid JSON.
fn check_integers(text: &str) -> Result<(), ParamError> {
    let mut rest = text;
    while let Some(start) = rest.find(['"', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    {
        rest = &rest[start..];
        if let Some(string) = rest.strip_prefix('"') {
            rest = after_string(string);
            continue;
        }
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let (number, after) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        let is_integer = !number.contains(['.', 'e', 'E']);
        if is_integer && number.parse::<u64>().is_err() && number.parse::<i64>().is_err() {
            return Err(ParamError::TooBig(number.to_owned()));
        }
        rest = after;
    }
    Ok(())
}

/// What follows the closing quote of a string whose opening quote was taken.
fn after_string(string: &str) -> &str {
    let mut escaped = false;
    let is_end = |c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    };
    string.split_once(is_end).map_or("", |(_, after)| after)
}

/// Replaces the forms by the values they stand for. The JSON reader has bounded the depth.
fn resolve(value: Value) -> Result<Value, ParamError> {
    match value {
        Value::Array(items) => {
            items.into_iter().map(resolve).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Map(entries) => match <[(Value, Value); 1]>::try_from(entries) {
            Ok([(key, content)]) => match key.as_str() {
                Some(form) if extended_json::is_form(form) => stands_for(form, content),
                _ => Ok(Value::Map(vec![(key, resolve(content)?)])),
            },
            Err(entries) => {
                let entries = entries.into_iter().map(|(key, value)| Ok((key, resolve(value)?)));
                entries.collect::<Result<_, _>>().map(Value::Map)
            }
        },
        scalar => Ok(scalar),
    }
}

/// The value that a form stands for.
fn stands_for(form: &str, content: Value) -> Result<Value, ParamError> {
    let (value, wanted) = match form {
        BIN => (bytes(&content).map(Value::Binary), "base64 text"),
        FLOAT => (float(&content), "\"nan\", \"inf\" or \"-inf\""),
        TIMESTAMP => (time(&content), "[seconds, nanoseconds below 1000000000]"),
        EXT => (extension(&content), "[code from -128 to 127, base64 text]"),
        _ => (map(content)?, "[[key, value], …]"),
    };
    value.ok_or_else(|| ParamError::Form { form: form.to_owned(), wanted })
}

fn bytes(content: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(content.as_str()?).ok()
}

fn float(content: &Value) -> Option<Value> {
    let spelling = content.as_str()?;
    FLOATS.iter().find(|(known, _)| *known == spelling).map(|(_, float)| Value::F64(*float))
}

fn time(content: &Value) -> Option<Value> {
    let [seconds, nanos] = content.as_array()?.as_slice() else { return None };
    let bytes = timestamp::encode(seconds.as_i64()?, u32::try_from(nanos.as_u64()?).ok()?)?;
    Some(Value::Ext(timestamp::CODE, bytes))
}

fn extension(content: &Value) -> Option<Value> {
    let [code, data] = content.as_array()?.as_slice() else { return None };
    Some(Value::Ext(i8::try_from(code.as_i64()?).ok()?, bytes(data)?))
}

/// Keys and values may be forms themselves, and wrong in their own way.
fn map(content: Value) -> Result<Option<Value>, ParamError> {
    let Value::Array(items) = content else { return Ok(None) };
    let mut entries = Vec::with_capacity(items.len());
    for item in items {
        let Value::Array(pair) = item else { return Ok(None) };
        let Ok([key, value]) = <[Value; 2]>::try_from(pair) else { return Ok(None) };
        entries.push((resolve(key)?, resolve(value)?));
    }
    Ok(Some(Value::Map(entries)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use rmpv::Value;

    use super::{json, text};
    use crate::render::json::to_string;

    #[test]
    fn what_is_printed_can_be_given_back() {
        for param in [
            "null",
            "true",
            "3",
            "-1",
            "-1.5",
            "1.0",
            "1e+300",
            "0.1",
            "4.35",
            "5e-324",
            "18446744073709551615",
            "-9223372036854775808",
            r#""text é 世 \" \\ \n""#,
            "[]",
            "{}",
            r#"[1,[2,{"z":[],"a":null}]]"#,
            r#"{"$bin":"3q2+7w=="}"#,
            r#"{"a":{"$bin":""}}"#,
            r#"{"$float":"nan"}"#,
            r#"[{"$float":"inf"},{"$float":"-inf"}]"#,
            r#"{"$timestamp":[1700000000,5]}"#,
            r#"{"$timestamp":[-1,0]}"#,
            r#"{"$ext":[42,"AQI="]}"#,
            r#"{"$map":[]}"#,
            r#"{"$map":[[1,2],["a",{"$map":[[null,{"$bin":"AA=="}]]}]]}"#,
            r#"{"$map":[["$bin","x"]]}"#,
            r#"{"$else":"x"}"#,
            r#"{"$bin":1,"$map":2}"#,
            r#"["\\","123456789012345678901234567890","\"99999999999999999999"]"#,
        ] {
            let value = json(OsStr::new(param)).unwrap_or_else(|error| panic!("{param}: {error}"));
            let expected = if param == r#"{"$map":[]}"# { "{}" } else { param };
            assert_eq!(to_string(&value), expected);
        }
    }

    #[test]
    fn bad_json_is_refused_with_a_reason() {
        for (param, reason) in [
            ("", "EOF"),
            ("hello", "text needs its quotes"),
            ("{\"a\":}", "line 1 column 6"),
            ("[1] 2", "trailing characters"),
            ("NaN", "expected"),
            ("18446744073709551616", "18446744073709551616 does not fit into 64 bits"),
            ("[\"\\\"\", {\"9\": -9223372036854775809}]", "-9223372036854775809 does not fit"),
            (r#"{"$bin":"é"}"#, r#""$bin" must hold base64 text"#),
            (r#"{"$bin":3}"#, "base64 text"),
            (r#"{"$float":"1"}"#, r#""$float" must hold"#),
            (r#"{"$timestamp":[0,1000000000]}"#, r#""$timestamp" must hold"#),
            (r#"{"$timestamp":"now"}"#, r#""$timestamp" must hold"#),
            (r#"{"$ext":[128,""]}"#, r#""$ext" must hold"#),
            (r#"{"$map":[[1]]}"#, r#""$map" must hold"#),
            (r#"{"$map":[[1,{"$bin":0}]]}"#, r#""$bin" must hold"#),
            (&"[".repeat(100_000), "recursion limit"),
        ] {
            let error = json(OsStr::new(param)).expect_err(reason).to_string();
            assert!(error.contains(reason), "{error:?} lacks {reason:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_no_text_are_sent_as_bytes() {
        use std::os::unix::ffi::OsStrExt;
        assert_eq!(text(OsStr::new("3")), Value::from("3"));
        assert_eq!(text(OsStr::from_bytes(b"\xff")), Value::Binary(vec![0xff]));
        let error = json(OsStr::from_bytes(b"\"\xff\"")).expect_err("no JSON");
        assert_eq!(error.to_string(), "it is not valid UTF-8");
    }
}
