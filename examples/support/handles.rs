//! What asks a task that has a socket for calls.

use std::error::Error;

use tokio::sync::{mpsc, oneshot};
use zerorpc_proto::{Answer, Args, CallId, IntoArgs, OpenError};

pub(crate) type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// What handles ask for.
pub(crate) enum Command {
    Open(&'static str, Args, oneshot::Sender<Result<CallId, OpenError>>),
    /// The next answer to a call. Only this lets its server send more.
    Next(CallId, oneshot::Sender<Answer>),
}

/// Makes calls from any task.
pub(crate) struct Client(pub(crate) mpsc::Sender<Command>);

impl Client {
    pub(crate) async fn open(&self, method: &'static str, args: impl IntoArgs) -> Result<CallId> {
        let (reply, opened) = oneshot::channel();
        self.0.send(Command::Open(method, args.into_args()?, reply)).await?;
        Ok(opened.await??)
    }

    pub(crate) async fn call(&self, method: &'static str, args: impl IntoArgs) -> Result<Args> {
        let call = self.open(method, args).await?;
        match self.next(call).await? {
            Answer::Value(value) => Ok(value),
            other => Err(format!("{method}: {other:?}").into()),
        }
    }

    pub(crate) async fn next(&self, call: CallId) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        self.0.send(Command::Next(call, reply)).await?;
        Ok(answer.await?)
    }
}
