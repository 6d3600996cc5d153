//! Addresses that mail may go to: what lettre takes, less what would need a server's special favour.

use lettre::message::Mailbox;

/// Bytes of an address, as RFC 5321 bounds a path.
const ADDRESS_BYTES_MAX: usize = 254;
/// Bytes of `Name <address>`.
const MAILBOX_BYTES_MAX: usize = 512;

/// Why a text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no address that mail can go to: {why}")]
pub struct BadAddress {
    /// The text, on one line and cut.
    pub text: String,
    /// What was expected.
    pub why: &'static str,
}

/// The mailbox of `anna@example.org` or `Anna <anna@example.org>`.
///
/// # Errors
/// Control characters, quoted or non-ASCII addresses, and whatever else is no single address.
pub fn mailbox(text: &str) -> Result<Mailbox, BadAddress> {
    let bad = |why| BadAddress { text: super::view::text(text), why };
    if text.len() > MAILBOX_BYTES_MAX {
        return Err(bad("it is too long"));
    }
    if text.chars().any(char::is_control) {
        return Err(bad("it has control characters"));
    }
    let mailbox: Mailbox = text.trim().parse().map_err(|_| bad("write anna@example.org or Anna <anna@example.org>"))?;
    let address: &str = mailbox.email.as_ref();
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(bad("it is too long"));
    }
    if !address.is_ascii() {
        return Err(bad("the part in front of and behind the @ must be ASCII"));
    }
    if address.contains(['"', '\\', ' ', '[', ']']) {
        return Err(bad("quoted addresses and address literals are not taken"));
    }
    Ok(mailbox)
}
