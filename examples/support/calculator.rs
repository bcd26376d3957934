//! A service without waiting: one number, or many.

use zerorpc::{Failure, Method, Methods};

pub(crate) fn service() -> Methods {
    let add = Method::new("add").doc("Adds two numbers.").arguments(["a", "b"]);
    Methods::new("calculator")
        .method(add, |a: i64, b: i64| {
            a.checked_add(b).ok_or_else(|| Failure::new("OverflowError", "more than 64 bits"))
        })
        .stream("count", |to: u64| Ok(0..to))
}
