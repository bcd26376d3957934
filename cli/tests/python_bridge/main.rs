//! Real Python modules behind [`PythonService`], without a server in front of it.

mod calls;
mod life;
mod loading;
mod streams;
mod support;
