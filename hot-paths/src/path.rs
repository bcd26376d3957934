//! The paths whose instructions are counted.

use crate::{Counted, Error, Scene, Side, Unwatched, wire::Cover};

/// How many calls are open while the beats of some are counted.
const HELD: u32 = 10_000;

/// One side of a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// An event becomes bytes.
    EventEncode,
    /// Bytes become an event.
    EventDecode,
    /// A call, from its arguments to its result, without the wire.
    CallClient,
    /// A request, from its arrival to its answer, without the wire.
    CallServer,
    /// An item of a stream is sent; now and then, credit for more arrives.
    ItemSender,
    /// An item of a stream is asked for and arrives; now and then, credit is granted.
    ItemReceiver,
    /// A beat is sent and one is heard, for one of many calls.
    Beat,
    /// A small message leaves through ZMTP.
    ZmtpOut,
    /// A small message arrives through ZMTP.
    ZmtpIn,
    /// A small message leaves through CURVE.
    CurveOut,
    /// A small message arrives through CURVE.
    CurveIn,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::EventEncode,
        Self::EventDecode,
        Self::CallClient,
        Self::CallServer,
        Self::ItemSender,
        Self::ItemReceiver,
        Self::Beat,
        Self::ZmtpOut,
        Self::ZmtpIn,
        Self::CurveOut,
        Self::CurveIn,
    ];

    /// What it is called on the command line and among the expected counts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EventEncode => "event-encode",
            Self::EventDecode => "event-decode",
            Self::CallClient => "call-client",
            Self::CallServer => "call-server",
            Self::ItemSender => "item-sender",
            Self::ItemReceiver => "item-receiver",
            Self::Beat => "beat",
            Self::ZmtpOut => "zmtp-out",
            Self::ZmtpIn => "zmtp-in",
            Self::CurveOut => "curve-out",
            Self::CurveIn => "curve-in",
        }
    }

    /// The path of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.name() == name)
    }

    /// Follows the path so many times to warm up, and as many times for the count.
    ///
    /// # Errors
    /// When it leads nowhere.
    pub fn run(self, times: u32) -> Result<(), Error> {
        let (mut scene, side) = self.scene()?;
        for number in 0..times.into() {
            scene.step(&mut Unwatched, number)?;
        }
        for number in 0..times.into() {
            scene.step(&mut Counted(side), number)?;
        }
        Ok(())
    }

    fn scene(self) -> Result<(Scene, Side), Error> {
        Ok(match self {
            Self::EventEncode => (Scene::encode()?, Side::Client),
            Self::EventDecode => (Scene::decode()?, Side::Client),
            Self::CallClient => (Scene::call(), Side::Client),
            Self::CallServer => (Scene::call(), Side::Server),
            Self::ItemSender => (Scene::item()?, Side::Server),
            Self::ItemReceiver => (Scene::item()?, Side::Client),
            Self::Beat => (Scene::beat(HELD)?, Side::Client),
            Self::ZmtpOut => (Scene::small_messages(1, Cover::None)?, Side::Client),
            Self::ZmtpIn => (Scene::small_messages(1, Cover::None)?, Side::Server),
            Self::CurveOut => (Scene::small_messages(1, Cover::Curve)?, Side::Client),
            Self::CurveIn => (Scene::small_messages(1, Cover::Curve)?, Side::Server),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_somewhere() -> Result<(), Error> {
        for path in Path::ALL {
            assert_eq!(Path::named(path.name()), Some(path));
            path.run(60)?;
        }
        assert_eq!(Path::named("nowhere"), None);
        Ok(())
    }
}
