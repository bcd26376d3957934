//! Decisions read from bytes; zeros when they have run out.

use arbitrary::Unstructured;

/// A number of two bytes, the high one first.
pub(super) fn wide(script: &mut Unstructured<'_>) -> arbitrary::Result<u16> {
    Ok(u16::from_be_bytes(script.arbitrary()?))
}

/// One of the items, if there are any.
pub(super) fn pick<T: Copy>(
    script: &mut Unstructured<'_>,
    items: &[T],
) -> arbitrary::Result<Option<T>> {
    let at = usize::from(wide(script)?);
    Ok((!items.is_empty()).then(|| items[at % items.len()]))
}

/// As many bytes as are left, `most` at most.
pub(super) fn bytes<'a>(script: &mut Unstructured<'a>, most: usize) -> arbitrary::Result<&'a [u8]> {
    script.bytes(most.min(script.len()))
}
