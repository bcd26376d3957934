//! Arbitrary answers to the questions that services are asked about themselves.

use arbitrary::Unstructured;
use rmpv::Value;

use crate::{
    exit::{CliError, Exit},
    inspect::{Question, answer},
    remote,
};

/// Lets a service describe itself by arbitrary values. Whatever it says, a terminal is safe, and no answer is asked for twice.
pub fn inspect(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let question = match script.int_in_range(0..=2_u8) {
        Ok(0) => Question::List,
        Ok(1) => Question::Signatures,
        _ => Question::Describe("name".into()),
    };
    let mut asked = Vec::new();
    let told = answer(&question, &mut |method, arguments| {
        let call = (method.to_owned(), arguments);
        assert!(asked.len() < 5000, "there is no end of questions");
        asked.push(call);
        value(&mut script)
    });
    match told {
        Ok(told) => {
            assert!(told.ends_with('\n'), "{told:?}");
            check_harmless(&told);
        }
        Err(stop) => assert!(!stop.message.is_empty()),
    }
    let text = String::from_utf8_lossy(data);
    let (name, rest) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    let described = remote::describe(name, rest, rest);
    check_harmless(&described);
    assert!(!described.ends_with('\n'));
}

/// What the service answers: one value after the other, and errors when it has no more to say.
fn value(script: &mut Unstructured<'_>) -> Result<Value, CliError> {
    let fails = script.ratio(1_u8, 8_u8).unwrap_or(true) || script.is_empty();
    let before = script.len();
    let rest = script.peek_bytes(before).unwrap_or_default();
    let mut left = rest;
    let read = rmpv::decode::read_value_with_max_depth(&mut left, 200);
    let used = rest.len() - left.len();
    // What is no value is passed over, or it would be the answer to everything.
    let _ = script.bytes(used.max(1).min(before));
    match read {
        Ok(value) if !fails => Ok(value),
        _ => Err(CliError::new(Exit::Remote, "no")),
    }
}

fn check_harmless(text: &str) {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!text.contains(harmful), "{text:?}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn random_services(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::inspect(&data);
        }
    }
}
