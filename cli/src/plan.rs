//! What is to be done, resolved from the command line: nothing is opened, sent or printed here.

mod security;

use std::{ffi::OsString, num::NonZeroUsize, time::Duration};

use rmpv::Value;
use zerorpc::{Keepalive, SocketOptions, TransportKind};
use zerorpc_python::Concurrency;

use crate::{
    args::{AcceptFlags, Flags},
    inspect::Question,
    params::{self, ParamError},
    render::StreamLayout,
};
pub(crate) use security::{
    Admission, Environment, Password, SecurityError, SecurityPlan, ServerKey, only_ipc,
};

/// Everything that the command is to do.
#[derive(Debug, PartialEq)]
pub(crate) struct Plan {
    /// At least one, in the order in which they are made.
    pub(crate) links: Vec<Link>,
    pub(crate) transport: TransportKind,
    /// The time between two heartbeats, if there are any.
    pub(crate) heartbeat: Option<Duration>,
    /// How long a connection is idle before its peer is asked whether it is there, if it ever is.
    pub(crate) keepalive: Option<Duration>,
    /// Who may connect to ipc addresses that are bound.
    pub(crate) ipc: Ipc,
    /// How the two sides make sure of each other.
    pub(crate) security: SecurityPlan,
    /// Which connections are accepted, and how many.
    pub(crate) accept: AcceptFlags,
    pub(crate) role: Role,
}

/// The permissions of socket files: for their owner alone, and of the system's choice, unless given.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ipc {
    pub(crate) mode: Option<u32>,
    pub(crate) group: Option<String>,
}

/// One address and how it is used.
#[derive(Debug, PartialEq)]
pub(crate) enum Link {
    Bind(String),
    Connect(String),
}

impl Link {
    pub(crate) fn address(&self) -> &str {
        match self {
            Self::Bind(address) | Self::Connect(address) => address,
        }
    }
}

/// The side on which the command stands.
#[derive(Debug, PartialEq)]
pub(crate) enum Role {
    Client(ClientPlan),
    Server(ServerPlan),
}

/// What a client does.
#[derive(Debug, PartialEq)]
pub(crate) struct ClientPlan {
    pub(crate) task: Task,
    /// For the first answer to each call.
    pub(crate) timeout: Duration,
    /// Beat from the start, instead of after the first beat heard.
    pub(crate) active_heartbeat: bool,
    pub(crate) layout: StreamLayout,
    /// Whether it is not told that no server is connected yet.
    pub(crate) quiet: bool,
}

/// What a client asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    /// What can be called, and how.
    Inspect(Question),
    /// One call; the service is not inspected first.
    Call { method: String, params: Vec<Value> },
}

/// What a server does.
#[derive(Debug, PartialEq)]
pub(crate) struct ServerPlan {
    /// Module, or object in a module, with dots between the parts.
    pub(crate) module: String,
    /// How many calls are in progress at a time.
    pub(crate) pool_size: NonZeroUsize,
    /// How many bytes may be kept for callers.
    pub(crate) max_memory: usize,
    /// How plain calls run beside each other.
    pub(crate) concurrency: Concurrency,
    /// Whether methods that raise are not logged.
    pub(crate) quiet: bool,
}

/// Why a command line makes no sense although each flag does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("an address is missing: give ADDRESS first, or use --connect or --bind")]
    NoAddress,
    #[error("a module is missing: name the Python module to serve, such as `time`")]
    NoModule,
    #[error(
        "an address is missing: {0:?} stands in its place; give ADDRESS before it, or use --bind or --connect"
    )]
    NoAddressBefore(String),
    #[error("{0:?} is too much: a server takes one module")]
    Surplus(OsString),
    #[error("--threads and --gevent exclude each other: calls run in threads or as greenlets")]
    ThreadsAndGreenlets,
    #[error("the {what} {word:?} is not valid UTF-8")]
    NotText { what: &'static str, word: OsString },
    #[error("parameter {number} ({param:?}) is not usable JSON: {reason}")]
    Param { number: usize, param: OsString, reason: ParamError },
    #[error(transparent)]
    Security(#[from] SecurityError),
}

impl Plan {
    /// Makes sense of a command line, by the rules of protocol section 10.
    ///
    /// With any --bind or --connect no address is expected among the words. Links are made in the order: all
    /// binds, the address among the words, all connects.
    pub(crate) fn resolve(flags: Flags, environment: Environment<'_>) -> Result<Self, PlanError> {
        let mut words = flags.words.into_iter();
        let address = match (flags.bind.is_empty() && flags.connect.is_empty(), words.len()) {
            (true, 0) => return Err(PlanError::NoAddress),
            (true, _) => words.next().map(|word| text("address", word)).transpose()?,
            (false, _) => None,
        };
        let binds = flags.bind.into_iter().map(Link::Bind);
        let connects = address.into_iter().chain(flags.connect).map(Link::Connect);
        let links: Vec<_> = binds.chain(connects).collect();
        let security = match flags.server {
            true => SecurityPlan::of_server(flags.security, environment, &links)?,
            false => SecurityPlan::of_client(flags.security, environment)?,
        };

        let role = if flags.server {
            let module = words.next().map(|word| text("module", word)).transpose()?;
            let module = module.filter(|module| !module.is_empty());
            let module = module.ok_or_else(|| no_module(&links))?;
            if let Some(word) = words.next() {
                return Err(PlanError::Surplus(word));
            }
            if flags.gevent && flags.threads.is_some() {
                return Err(PlanError::ThreadsAndGreenlets);
            }
            Role::Server(ServerPlan {
                module,
                pool_size: flags.pool_size,
                max_memory: flags.max_memory.get().saturating_mul(1 << 20),
                concurrency: match flags.threads {
                    Some(threads) => Concurrency::Threads(threads),
                    None if flags.gevent => Concurrency::Greenlets,
                    None if flags.no_gevent => Concurrency::Serial,
                    None => Concurrency::Detect,
                },
                quiet: flags.quiet,
            })
        } else {
            Role::Client(ClientPlan {
                task: Task::resolve(words, flags.inspect, flags.json)?,
                timeout: flags.timeout,
                active_heartbeat: flags.active_hb,
                layout: if flags.print_json { StreamLayout::Array } else { StreamLayout::Lines },
                quiet: flags.quiet,
            })
        };
        Ok(Self {
            links,
            transport: flags.transport,
            heartbeat: flags.heartbeat.0,
            keepalive: flags.keepalive.0,
            ipc: Ipc { mode: flags.ipc_mode, group: flags.ipc_group },
            security,
            accept: flags.accept,
            role,
        })
    }

    /// What is asked of the socket.
    pub(crate) fn socket_options(&self) -> SocketOptions {
        SocketOptions::new()
            .keepalive(self.keepalive.map(Keepalive::every))
            .ipc_mode(self.ipc.mode)
            .ipc_group(self.ipc.group.clone())
            .accept_limits(self.accept.limits())
            .networks(self.accept.networks())
    }
}

impl Task {
    /// From the words behind the address; an empty command is no command.
    fn resolve(
        mut words: impl Iterator<Item = OsString>,
        inspect: bool,
        json: bool,
    ) -> Result<Self, PlanError> {
        let command = words.next().map(|word| text("command", word)).transpose()?;
        match (command.filter(|command| !command.is_empty()), inspect) {
            (None, false) => Ok(Self::Inspect(Question::List)),
            (None, true) => Ok(Self::Inspect(Question::Signatures)),
            (Some(method), true) => Ok(Self::Inspect(Question::Describe(method))),
            (Some(method), false) => {
                let params = words.enumerate().map(|(index, param)| match json {
                    false => Ok(params::text(&param)),
                    true => params::json(&param).map_err(|reason| PlanError::Param {
                        number: index + 1,
                        param,
                        reason,
                    }),
                });
                Ok(Self::Call { method, params: params.collect::<Result<_, _>>()? })
            }
        }
    }
}

/// What is missing where no module is named: a word that is no address is one.
fn no_module(links: &[Link]) -> PlanError {
    match links {
        [Link::Connect(word)] if !word.contains(':') => PlanError::NoAddressBefore(word.clone()),
        _ => PlanError::NoModule,
    }
}

fn text(what: &'static str, word: OsString) -> Result<String, PlanError> {
    word.into_string().map_err(|word| PlanError::NotText { what, word })
}

#[cfg(test)]
mod tests;
