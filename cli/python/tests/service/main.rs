//! Real Python modules behind [`PythonService`], without a server in front of it.

mod calls;
mod life;
mod loading;
mod outgoing;
mod streams;
mod support;
