//! Header keys beyond those that every event has: an application's, and two of our own.

use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::{
    args::Args,
    error::{DecodeError, EncodeError},
    msgpack::{self, Reader},
};

/// The key of a refusal that may be taken for a request that has never left: the server is stopping and has not begun with
/// it. Peers that do not know it see the error that goes with it.
pub(super) const RETURNED: &str = "_zpc_returned";

/// Header keys beyond the protocol's own, such as a trace id: they travel with a request, and with its
/// answers when the server says so.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    // Mostly empty, and in every open channel: one word.
    pub(super) pairs: ThinVec<(Args, Args)>,
}

impl Context {
    /// No keys at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// That of a request that comes back.
    pub(crate) fn returned() -> Self {
        Self::new().marked(RETURNED)
    }

    fn marked(mut self, mark: &str) -> Self {
        // Both can be encoded.
        let _inserted = self.insert(mark, &true);
        self
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Sets a key.
    ///
    /// # Errors
    /// When the value cannot be encoded, or the key is one of the protocol's own: `message_id`, `v` and
    /// `response_to` are not for callers to change.
    pub fn insert<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
    ) -> Result<(), EncodeError> {
        refuse_own(key)?;
        let value = Args::encode(value)?;
        let key = Args::encode(key)?;
        self.pairs.retain(|(present, _)| *present != key);
        self.push(key, value);
        Ok(())
    }

    /// The keys and values of an encoded map, as they stand there.
    ///
    /// # Errors
    /// When the value is no map, or has one of the protocol's own keys; see [`insert`](Self::insert).
    pub fn from_map(map: &Args) -> Result<Self, EncodeError> {
        let no_map = || EncodeError("header keys are a map".to_owned().into());
        let mut reader = Reader::again(map.as_bytes());
        let pairs = reader.map().ok().flatten().ok_or_else(no_map)?;
        let mut context = Self::new();
        for _ in 0..pairs {
            let mut part = || reader.value(1).map(|part| map.as_bytes().slice_ref(part));
            let (Ok(key), Ok(value)) = (part(), part()) else { return Err(no_map()) };
            msgpack::str_content(&key).map_or(Ok(()), refuse_own)?;
            context.push(Args::from_read(key), Args::from_read(value));
        }
        Ok(context)
    }

    /// All keys and values as one encoded map.
    #[must_use]
    pub fn to_map(&self) -> Args {
        let mut out = BytesMut::with_capacity(5 + self.size());
        msgpack::put_map(&mut out, self.count());
        self.put(&mut out);
        Args::from_read(out.freeze())
    }

    /// The value of a text key, if it is there and of that type.
    ///
    /// # Errors
    /// When the value is of another type.
    pub fn get<'a, T: Deserialize<'a>>(&'a self, key: &str) -> Result<Option<T>, DecodeError> {
        let found =
            self.iter().find(|(present, _)| msgpack::str_content(present.as_bytes()) == Some(key));
        found.map(|(_, value)| value.decode()).transpose()
    }

    /// All keys and values, in the order in which they came. Peers may send keys that are no text.
    pub fn iter(&self) -> impl Iterator<Item = (&Args, &Args)> {
        self.pairs.iter().map(|(key, value)| (key, value))
    }

    /// How many bytes the keys and values take.
    pub(crate) fn size(&self) -> usize {
        self.iter().map(|(key, value)| key.as_bytes().len() + value.as_bytes().len()).sum()
    }

    fn push(&mut self, key: Args, value: Args) {
        self.pairs.push((key, value));
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.pairs.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        for (key, value) in &self.pairs {
            out.put_slice(key.as_bytes());
            out.put_slice(value.as_bytes());
        }
    }
}

fn refuse_own(key: &str) -> Result<(), EncodeError> {
    if matches!(key, "message_id" | "v" | "response_to") {
        return Err(EncodeError(format!("the header key {key:?} belongs to the protocol").into()));
    }
    Ok(())
}
