//! Links that act, `/a/TOKEN`: what a mail lets its reader do with one button. The link is the right, to that one action on that one incident.
//!
//! Nothing is kept for a link. The token names the action, the message and the incident, and proves by HMAC-SHA256 under the store's key that we wrote it;
//! to whom it went and until when it holds, the message says. The same message gives the same tokens, so a mail's bytes never change.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use watchkeeper_engine::ids::{IncidentId, MessageId};
use watchkeeper_engine::model::message::Message;
use watchkeeper_engine::time::{Span, Time};
use watchkeeper_store::LinkKey;

/// How long a link acts after its mail was planned. A week: longer than a weekend with a holiday, shorter than anybody keeps a night in mind.
pub const LINK_LASTS: Span = Span::days(7);
/// Bytes of the proof: 128 bits cannot be guessed.
const PROOF_BYTES: usize = 16;
/// What is signed begins with this, so that no other use of the key can give a link.
const DOMAIN: &[u8] = b"watchkeeper link 1\0";
/// Characters of a token at most: an action, two numbers of up to ten bytes, the proof.
const TOKEN_CHARS_MAX: usize = (1 + 2 * 10 + PROOF_BYTES).div_ceil(3) * 4;

/// What a link does. The number stands in mails that are out: it is never given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkAction {
    /// The reader has it.
    Acknowledge = 1,
    /// The reader says that it is not theirs.
    NotMine = 2,
    /// The reader writes something down.
    Note = 3,
    /// The reader has it, whoever had it before.
    TakeOver = 4,
    /// It waits.
    Hold = 5,
    /// The reader's alerts do not belong there.
    Detach = 6,
}

impl LinkAction {
    /// Every action.
    pub const ALL: [LinkAction; 6] =
        [LinkAction::Acknowledge, LinkAction::NotMine, LinkAction::Note, LinkAction::TakeOver, LinkAction::Hold, LinkAction::Detach];

    const fn number(self) -> u8 {
        self as u8
    }
}

/// What an address names, before anything of it is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// What it does.
    pub action: LinkAction,
    /// The mail it stood in.
    pub message: MessageId,
    /// The incident it acts on.
    pub incident: IncidentId,
    proof: [u8; PROOF_BYTES],
}

/// Whether a link acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It does, until then.
    Holds(Time),
    /// It did, until then.
    Expired(Time),
    /// We did not write it.
    Forged,
}

impl Link {
    /// Reads a token; `None` where it is none. A token has one spelling: no filling, no left-over bits.
    pub fn read(token: &str) -> Option<Link> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let (named, proof) = bytes.split_last_chunk::<PROOF_BYTES>()?;
        let (number, rest) = named.split_first()?;
        let action = LinkAction::ALL.into_iter().find(|action| action.number() == *number)?;
        let (message, rest) = take(rest)?;
        let (incident, rest) = take(rest)?;
        rest.is_empty().then_some(Link { action, message: MessageId(message), incident: IncidentId(incident), proof: *proof })
    }
}

/// Signs links, and knows its own again.
#[derive(Debug, Clone)]
pub struct Links(LinkKey);

impl Links {
    /// Signs with a store's key.
    pub const fn new(key: LinkKey) -> Links {
        Links(key)
    }

    /// The token that lets the reader of `message` do that to `incident`.
    pub fn token(&self, message: &Message, incident: IncidentId, action: LinkAction) -> String {
        let mut bytes = vec![action.number()];
        put(&mut bytes, message.id.0);
        put(&mut bytes, incident.0);
        let proof = self.signed(message, incident, action).finalize().into_bytes();
        bytes.extend_from_slice(&proof[..PROOF_BYTES]);
        BASE64_URL_SAFE_NO_PAD.encode(&bytes)
    }

    /// Whether a link that names `message` is ours, and still holds. Takes the same time wherever a proof is wrong.
    pub fn check(&self, link: &Link, message: &Message, now: Time) -> Checked {
        let until = message.planned_at + LINK_LASTS;
        if message.id != link.message || self.signed(message, link.incident, link.action).verify_truncated_left(&link.proof).is_err() {
            Checked::Forged
        } else if now >= until {
            Checked::Expired(until)
        } else {
            Checked::Holds(until)
        }
    }

    fn signed(&self, message: &Message, incident: IncidentId, action: LinkAction) -> Hmac<Sha256> {
        let until = message.planned_at + LINK_LASTS;
        let mut signed = Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("a key of any length signs");
        signed.update(DOMAIN);
        signed.update(&[action.number()]);
        signed.update(&message.id.0.to_be_bytes());
        signed.update(&incident.0.to_be_bytes());
        signed.update(&until.0.to_be_bytes());
        // The last field needs no length.
        signed.update(message.to.as_bytes());
        signed
    }
}

/// A number in as many bytes as it needs, seven bits each, the lowest first.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(u8::try_from(number & 0x7f).expect("seven bits fit a byte") | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).expect("what is left is below 128"));
}

fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0_u64;
    for (n, byte) in bytes.iter().enumerate().take(10) {
        let part = u64::from(byte & 0x7f);
        number |= part.checked_shl(u32::try_from(7 * n).ok()?).filter(|shifted| shifted >> (7 * n) == part)?;
        if byte & 0x80 == 0 {
            // A last part of nothing but zeros would be another spelling of a shorter number.
            return (*byte != 0 || n == 0).then_some((number, &bytes[n + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use watchkeeper_engine::model::message::{Said, Sending};
    use watchkeeper_engine::words::Reason;

    use super::*;

    fn message() -> Message {
        Message {
            id: MessageId(300),
            incident: Some(IncidentId(42)),
            to: "net@example.org".into(),
            reason: Reason::Opened,
            template: "opened".into(),
            subject: String::new(),
            thread: MessageId(300),
            notify_rule: String::new(),
            team: String::new(),
            zone: String::new(),
            planned_at: Time(1_795_485_840_000),
            content: Said::default().into(),
            sending: Sending::planned(MessageId(300)),
            problem: None,
        }
    }

    fn links() -> Links {
        Links::new(LinkKey::new([7; 32]))
    }

    /// Made by Python's `hmac`: links stand in mails that are out, so neither what is signed nor how it is written may change.
    #[test]
    fn a_token_is_written_as_ever() {
        let token = links().token(&message(), IncidentId(42), LinkAction::Acknowledge);
        assert_eq!(token, "AawCKodRnhPlvNxel0_ATLVBq1s");
    }

    #[test]
    fn a_token_is_read_back_whatever_the_numbers() {
        for (number, incident) in [(0, 0), (127, 128), (1 << 56 | 42, u64::MAX), (u64::MAX, 1)] {
            for action in LinkAction::ALL {
                let message = Message { id: MessageId(number), ..message() };
                let token = links().token(&message, IncidentId(incident), action);
                assert!(token.len() <= TOKEN_CHARS_MAX, "{token}");
                let link = Link::read(&token).expect("it is one of ours");
                assert_eq!((link.action, link.message, link.incident), (action, message.id, IncidentId(incident)));
                assert_eq!(links().check(&link, &message, message.planned_at), Checked::Holds(message.planned_at + LINK_LASTS));
            }
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let token = links().token(&message(), IncidentId(42), LinkAction::Acknowledge);
        assert!(Link::read(&token).is_some());
        let other_last = format!("{}t", token.strip_suffix('s').expect("it ends so"));
        for other in [format!("{token}="), format!("{token}=="), format!(" {token}"), other_last] {
            assert_eq!(Link::read(&other), None, "{other}");
        }
    }

    #[test]
    fn a_number_is_read_in_the_one_way_it_is_written() {
        let read = |bytes: &[u8]| take(bytes).map(|(number, _)| number);
        assert_eq!(read(&[0x80 | 44, 2]), Some(300));
        assert_eq!(read(&[0x80 | 44, 0x80 | 2, 0]), None, "longer than it need be");
        assert_eq!(read(&[0]), Some(0));
        assert_eq!(read(&[0xff; 10]), None, "more than 64 bits");
        assert_eq!(read(&[0x80; 12]), None, "no end");
        assert_eq!(read(&[]), None);
    }
}
