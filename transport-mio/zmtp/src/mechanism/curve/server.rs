//! The side whose key the other knows beforehand.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;
use zerorpc_proto::transport::{Credential, KeyPair, PublicKey, SecretKey};

use super::{
    BoxKey, CLAIM, COOKIE, Ciphers, HELLO, KEY, LONG_NONCE, Nonce, ShortTerm, VOUCH, cut, draw,
    exactly, prefix,
};
use crate::{
    RandomSource, Violation,
    command::expect,
    mechanism::{Agreement, Context, Turn},
    metadata,
    outbox::Outbox,
};

/// The number of the nonce that a server's handshake takes.
const READY: u64 = 1;

/// Where a server stands.
pub(crate) enum Server {
    AwaitHello {
        keys: KeyPair,
    },
    /// WELCOME is out, with all that is known of the client in its cookie.
    AwaitInitiate {
        keys: KeyPair,
        cookies: BoxKey,
    },
}

impl Server {
    /// Whether a command of a known length is due.
    pub(crate) fn awaits_short(&self) -> bool {
        matches!(self, Self::AwaitHello { .. })
    }

    pub(crate) fn receive(
        self,
        body: &[u8],
        context: Context<'_>,
        outbox: &mut Outbox,
    ) -> Result<Turn<Self>, Violation> {
        match self {
            Self::AwaitHello { keys } => {
                let data = expect("HELLO", body)?;
                let cookies = welcome(data, &keys, &*context.config.random, outbox)?;
                Ok(Turn::Next(Self::AwaitInitiate { keys, cookies }))
            }
            Self::AwaitInitiate { keys, cookies } => {
                let mut data = expect("INITIATE", body)?;
                let cookie = cut("INITIATE", &mut data)?;
                let (client, short_term) = open_cookie(&cookies, cookie)?;
                let number = u64::from_be_bytes(*cut("INITIATE", &mut data)?);
                let unopened = || Violation::Unopened { command: "INITIATE" };
                let key = BoxKey::between(&client, &short_term).ok_or_else(unopened)?;
                let claim = key.read(&Nonce::short(prefix::INITIATE, number), data);
                let claim = claim.filter(|claim| claim.len() >= CLAIM).ok_or_else(unopened)?;
                let (claim, properties) = claim.split_at(CLAIM);
                let known = vouched(claim, &client, &keys, &short_term)?;
                let principal = context.admit(Credential::Key(known))?;
                let metadata = metadata::read("INITIATE", properties, context.config.kind)?;
                let mut sealed = Vec::new();
                let nonce = Nonce::short(prefix::READY, READY);
                key.write(&nonce, &metadata::write(context.config), &mut sealed);
                outbox.command("READY", &[&READY.to_be_bytes(), &sealed]);
                let ciphers = Ciphers::of_server(key, READY, number, &context.config.buffers);
                Ok(Turn::Done(Agreement { metadata, principal, ciphers: Some(ciphers) }))
            }
        }
    }
}

/// Answers a HELLO; the key of the cookie.
fn welcome(
    data: &[u8],
    ours: &KeyPair,
    random: &dyn RandomSource,
    outbox: &mut Outbox,
) -> Result<BoxKey, Violation> {
    let mut data = &exactly::<HELLO>("HELLO", data)?[..];
    if *cut("HELLO", &mut data)? != [1, 0] {
        return Err(Violation::Malformed { command: "HELLO", reason: "its version is not 1.0" });
    }
    let _filler: &[u8; 72] = cut("HELLO", &mut data)?;
    let client: &[u8; KEY] = cut("HELLO", &mut data)?;
    let number = u64::from_be_bytes(*cut("HELLO", &mut data)?);
    let unopened = || Violation::Unopened { command: "HELLO" };
    let key = BoxKey::between(client, &ours.secret).ok_or_else(unopened)?;
    key.read(&Nonce::short(prefix::HELLO, number), data).ok_or_else(unopened)?;

    let short_term = ShortTerm::generate(random)?;
    let nonce = draw(random)?;
    let cookies = BoxKey::generate(random)?;
    let mut content = Zeroizing::new(Vec::with_capacity(KEY + COOKIE));
    content.extend_from_slice(&short_term.public);
    content.extend_from_slice(&nonce[..]);
    let secrets = Zeroizing::new([*client, *short_term.secret.as_bytes()].concat());
    cookies.write(&Nonce::long(prefix::COOKIE, &nonce), &secrets, &mut content);
    let nonce = draw(random)?;
    let mut sealed = Vec::new();
    key.write(&Nonce::long(prefix::WELCOME, &nonce), &content, &mut sealed);
    outbox.command("WELCOME", &[&nonce[..], &sealed]);
    Ok(cookies)
}

/// The client's short-term key, and the secret half of our own.
fn open_cookie(
    cookies: &BoxKey,
    cookie: &[u8; COOKIE],
) -> Result<([u8; KEY], SecretKey), Violation> {
    let mut sealed = &cookie[..];
    let nonce: &[u8; LONG_NONCE] = cut("INITIATE", &mut sealed)?;
    let content =
        cookies.read(&Nonce::long(prefix::COOKIE, nonce), sealed).ok_or(Violation::StaleCookie)?;
    let mut content = &content[..];
    let client = *cut("INITIATE", &mut content)?;
    Ok((client, SecretKey::new(*exactly("INITIATE", content)?)))
}

/// The client's long-term key, whose owner says that the short-term one is his, and meant for us.
fn vouched(
    claim: &[u8],
    client: &[u8; KEY],
    ours: &KeyPair,
    short_term: &SecretKey,
) -> Result<PublicKey, Violation> {
    let mut claim = claim;
    let known: &[u8; KEY] = cut("INITIATE", &mut claim)?;
    let mut vouch = &exactly::<VOUCH>("INITIATE", claim)?[..];
    let nonce = cut("INITIATE", &mut vouch)?;
    let said = BoxKey::between(known, short_term)
        .and_then(|key| key.read(&Nonce::long(prefix::VOUCH, nonce), vouch));
    let expected = [*client, *ours.public.as_bytes()].concat();
    match said {
        Some(said) if bool::from(said.ct_eq(&expected)) => Ok(PublicKey::new(*known)),
        _ => Err(Violation::WrongVouch),
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitHello { .. } => "AwaitHello",
            Self::AwaitInitiate { .. } => "AwaitInitiate",
        })
    }
}
