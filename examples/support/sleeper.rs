//! A service with a method that awaits: each call of it is a task.

use std::time::Duration;

use zerorpc::{Args, Failure, Method, Methods, Reply};

pub(crate) fn service() -> Methods {
    let sleep = Method::new("sleep").doc("Answers after so many seconds.").arguments(["seconds"]);
    Methods::new("sleeper").stream("count", |to: u64| Ok(0..to)).raw(sleep, |request| {
        let (seconds,) = request.args().decode::<(f64,)>()?;
        let time = Duration::try_from_secs_f64(seconds)?;
        // Comes back at once: while one call waits, others run, and beats go to and fro.
        Ok(Reply::Later(Box::new(move |responder| {
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                match Args::encode(&seconds) {
                    Ok(value) => responder.reply(value),
                    Err(error) => responder.fail(Failure::from(error)),
                }
            });
        })))
    })
}
