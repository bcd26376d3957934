//! Events as trees of values, which can be made wrong in any way.

use bytes::Bytes;
use rmpv::Value;

/// `[header, name, args]`.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) header: Vec<(Value, Value)>,
    pub(crate) name: Value,
    pub(crate) args: Value,
}

impl Event {
    /// Reads the event at the front of a payload; `None` when there is none.
    pub(crate) fn decode(mut payload: &[u8]) -> Option<Self> {
        let Value::Array(parts) = rmpv::decode::read_value(&mut payload).ok()? else { return None };
        let [Value::Map(header), name, args] = <[Value; 3]>::try_from(parts).ok()? else {
            return None;
        };
        Some(Self { header, name, args })
    }

    /// The event as a payload.
    pub(crate) fn encode(self) -> Bytes {
        let whole = Value::Array(vec![Value::Map(self.header), self.name, self.args]);
        let mut out = Vec::new();
        rmpv::encode::write_value(&mut out, &whole).expect("memory takes everything");
        out.into()
    }

    /// An event of the channel that `id` names.
    pub(crate) fn on(id: &Value, name: &str, args: Value) -> Self {
        let header = vec![
            ("message_id".into(), fresh_id()),
            ("v".into(), 3.into()),
            ("response_to".into(), id.clone()),
        ];
        Self { header, name: name.into(), args }
    }

    /// A beat on the channel that `id` names.
    pub(crate) fn beat(id: &Value) -> Self {
        Self::on(id, "_zpc_hb", Value::Array(vec![0.into()]))
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name.as_str() == Some(name)
    }

    pub(crate) fn is_beat(&self) -> bool {
        self.is("_zpc_hb")
    }

    pub(crate) fn is_grant(&self) -> bool {
        self.is("_zpc_more")
    }

    /// Whether it is one of the answers after which nothing comes.
    pub(crate) fn is_last(&self) -> bool {
        self.is("OK") || self.is("ERR") || self.is("STREAM_DONE")
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.header.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
    }

    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.remove(key);
        self.header.push((key.into(), value.into()));
    }

    pub(crate) fn remove(&mut self, key: &str) {
        self.header.retain(|(name, _)| name.as_str() != Some(key));
    }

    /// The id that it answers, unless it begins something.
    pub(crate) fn response_to(&self) -> Option<&Value> {
        self.get("response_to").filter(|id| !id.is_nil())
    }

    pub(crate) fn is_request(&self) -> bool {
        self.response_to().is_none()
    }

    /// The id of its channel.
    pub(crate) fn channel(&self) -> Value {
        self.response_to().or_else(|| self.get("message_id")).cloned().unwrap_or(Value::Nil)
    }

    /// The first argument, or the arguments themselves where they are no array.
    pub(crate) fn first(&self) -> Value {
        match &self.args {
            Value::Array(args) => args.first().cloned().unwrap_or(Value::Nil),
            other => other.clone(),
        }
    }

    /// The first argument as a number.
    pub(crate) fn number(&self) -> f64 {
        self.first().as_f64().unwrap_or_default()
    }

    /// With other arguments.
    pub(crate) fn with(mut self, args: impl Into<Value>) -> Self {
        self.args = args.into();
        self
    }
}

/// An id that nothing else has.
pub(crate) fn fresh_id() -> Value {
    let random = getrandom::u64().unwrap_or_default();
    Value::Binary(format!("{random:016x}{random:016x}").into_bytes())
}

/// A value with everything in it changed, from the inside out.
pub(crate) fn map(value: Value, change: &mut dyn FnMut(Value) -> Value) -> Value {
    let value = match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| map(item, change)).collect())
        }
        Value::Map(pairs) => {
            Value::Map(pairs.into_iter().map(|(key, value)| (key, map(value, change))).collect())
        }
        other => other,
    };
    change(value)
}

/// Whether anything in a value is so.
pub(crate) fn any(value: &Value, is: &dyn Fn(&Value) -> bool) -> bool {
    is(value)
        || match value {
            Value::Array(items) => items.iter().any(|item| any(item, is)),
            Value::Map(pairs) => pairs.iter().any(|(_, value)| any(value, is)),
            _ => false,
        }
}
