//! Why a mail did not leave by SMTP: at which step, what happened there, whether trying again is of use, and what an operator can do.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use watchkeeper_engine::text::{cut, one_line};

/// Bytes of a server's words in an error; the rest is cut.
const ANSWER_BYTES_MAX: usize = 300;

/// A step of a delivery. Each has a time limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The host's name becomes addresses.
    Lookup,
    /// TCP.
    Connect,
    /// The server's first line.
    Greeting,
    /// EHLO, before and after STARTTLS.
    Hello,
    /// STARTTLS, up to its answer.
    StartTls,
    /// The TLS handshake.
    Tls,
    /// AUTH.
    Login,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The message and its final dot.
    Message,
    /// RSET, after a refusal.
    Reset,
}

impl Phase {
    /// What it is called where people read it.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Lookup => "DNS",
            Phase::Connect => "connect",
            Phase::Greeting => "greeting",
            Phase::Hello => "EHLO",
            Phase::StartTls => "STARTTLS",
            Phase::Tls => "TLS",
            Phase::Login => "AUTH",
            Phase::Mail => "MAIL FROM",
            Phase::Recipient => "RCPT TO",
            Phase::Data => "DATA",
            Phase::Message => "message",
            Phase::Reset => "RSET",
        }
    }

    /// Whether the server judges this mail there, and not whether it talks with us at all.
    const fn is_about_the_mail(self) -> bool {
        match self {
            Phase::Mail | Phase::Recipient | Phase::Data | Phase::Message => true,
            Phase::Lookup
            | Phase::Connect
            | Phase::Greeting
            | Phase::Hello
            | Phase::StartTls
            | Phase::Tls
            | Phase::Login
            | Phase::Reset => false,
        }
    }
}

/// What happened at a step.
#[derive(Debug)]
pub enum Fault {
    /// No end within the limit. After the final dot the outcome is unknown: the mail may have arrived.
    Slow(Duration),
    /// The connection, or the machine, failed.
    Io(io::Error),
    /// The connection ended, or what came was no SMTP.
    Broken(String),
    /// The server said no.
    Refused {
        /// Its reply code: 4xx for not now, 5xx for never.
        code: u16,
        /// Its words, on one line, cut.
        text: String,
    },
    /// Bytes came that nobody had asked for: whoever sent them may want them to be taken for the answer to what comes next.
    Unasked(usize),
    /// STARTTLS is wanted and the server does not offer it, or somebody in between took it out.
    NoStartTls,
    /// A password would go over the network in the clear.
    InTheClear,
    /// The server offers neither PLAIN nor LOGIN.
    NoMechanism,
    /// The message has a line end that is not CRLF, so its end could be read elsewhere than where it is.
    BareLineEnd,
    /// The address is none that SMTP can carry.
    BadAddress(String),
}

/// A step of a delivery that failed.
#[derive(Debug, thiserror::Error)]
#[error("send by {server}: {phase}: {fault}", phase = .phase.word())]
pub struct SmtpError {
    /// Host and port.
    pub server: String,
    /// Where.
    pub phase: Phase,
    /// What.
    pub fault: Fault,
}

impl SmtpError {
    /// Whether trying again is of no use: the server refused this mail for good, or it cannot be sent at all.
    ///
    /// A 5xx before MAIL FROM, and `530 authentication required` at it, refuse us and not the mail: a wrong password must not lose what waits.
    pub fn is_permanent(&self) -> bool {
        match &self.fault {
            Fault::Refused { code, .. } => self.phase.is_about_the_mail() && *code >= 500 && *code != 530,
            Fault::BareLineEnd | Fault::BadAddress(_) => true,
            Fault::Slow(_)
            | Fault::Io(_)
            | Fault::Broken(_)
            | Fault::Unasked(_)
            | Fault::NoStartTls
            | Fault::InTheClear
            | Fault::NoMechanism => false,
        }
    }

    /// Whether the connection can take another mail after RSET: the server said no and still listens.
    pub(super) fn leaves_connection(&self) -> bool {
        matches!(self.fault, Fault::Refused { code, .. } if code != 421) && self.phase.is_about_the_mail()
    }

    /// Whether a connection that was kept had ended meanwhile: nothing of this mail was said yet.
    pub(super) fn is_stale_connection(&self) -> bool {
        self.phase == Phase::Mail && matches!(self.fault, Fault::Broken(_) | Fault::Io(_) | Fault::Refused { code: 421, .. })
    }

    /// What an operator can do about it.
    pub fn advice(&self) -> &'static str {
        match (&self.fault, self.phase) {
            (_, Phase::Lookup) => "look at [mail.smtp] host, and whether this machine resolves names (`getent hosts NAME`)",
            (Fault::Slow(_) | Fault::Io(_), Phase::Connect) => {
                "look at [mail.smtp] host and port, whether the server runs, and whether a firewall lets this machine through"
            }
            (Fault::Slow(_) | Fault::Broken(_), Phase::Greeting) => {
                "the server took the connection and says nothing: port 465 wants security = \"tls\", port 587 \"starttls\", port 25 \"starttls\" or \"none\""
            }
            (_, Phase::Tls) => {
                "look at the server's certificate: its name must be [mail.smtp] host, and its issuer known to this machine or in [mail.smtp] ca_file"
            }
            (Fault::NoStartTls, _) => {
                "the server does not offer STARTTLS, or something between takes it out; security = \"tls\" where it has a TLS port, \"none\" where the network is yours"
            }
            (Fault::Unasked(_), _) => "something answers before it is asked: look at what stands between this machine and the server",
            (Fault::InTheClear, _) => "use security = \"starttls\" or \"tls\", or leave out user and password_file",
            (Fault::NoMechanism, _) => {
                "the server takes no login here: leave out user and password_file, or use its submission port (587 or 465)"
            }
            (Fault::Refused { .. }, Phase::Login) => "look at [mail.smtp] user and the file that password_file names",
            (Fault::Refused { code: 530, .. }, _) => "the server wants a login, or TLS first: [mail.smtp] user, password_file, security",
            (Fault::Refused { .. }, Phase::Mail) => "the server does not take [mail] from as a sender",
            (Fault::Refused { .. }, Phase::Recipient) => {
                "the server does not take this recipient, or does not relay for this machine without a login"
            }
            (Fault::BadAddress(_), _) => "mend the address",
            (Fault::Slow(_) | Fault::Io(_) | Fault::Broken(_) | Fault::Refused { .. } | Fault::BareLineEnd, _) => {
                "the server's own log says more, at this time"
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Slow(limit) => write!(f, "no answer within {} s", limit.as_secs_f32()),
            Fault::Io(error) => write!(f, "{error}"),
            Fault::Broken(why) => write!(f, "the connection ended: {why}"),
            Fault::Refused { code, text } if text.is_empty() => write!(f, "the server answered {code}"),
            Fault::Refused { code, text } => write!(f, "the server answered {code} {text}"),
            Fault::Unasked(bytes) => write!(f, "{bytes} bytes came that nobody had asked for"),
            Fault::NoStartTls => f.write_str("the server does not offer it, and nothing is sent in the clear"),
            Fault::InTheClear => f.write_str("a password is not sent in the clear to another machine"),
            Fault::NoMechanism => f.write_str("the server offers neither PLAIN nor LOGIN"),
            Fault::BareLineEnd => f.write_str("it has a line end that is not CRLF"),
            Fault::BadAddress(why) => f.write_str(why),
        }
    }
}

impl Fault {
    /// A refusal in the server's words.
    pub(super) fn refused(code: u16, text: &str) -> Fault {
        Fault::Refused { code, text: cut(&one_line(text), ANSWER_BYTES_MAX) }
    }
}

impl From<lettre::transport::smtp::Error> for Fault {
    fn from(error: lettre::transport::smtp::Error) -> Fault {
        let words = error.source().map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => Fault::refused(code.into(), &words),
            None if words.is_empty() => Fault::Broken(error.to_string()),
            None => Fault::Broken(cut(&one_line(&words), ANSWER_BYTES_MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(phase: Phase, fault: Fault) -> SmtpError {
        SmtpError { server: "mail.example.org:587".to_owned(), phase, fault }
    }

    #[test]
    fn only_a_refusal_of_the_mail_itself_is_for_good() {
        for phase in [Phase::Mail, Phase::Recipient, Phase::Data, Phase::Message] {
            assert!(error(phase, Fault::refused(550, "no")).is_permanent(), "{phase:?}");
            assert!(!error(phase, Fault::refused(451, "later")).is_permanent(), "{phase:?}");
            assert!(!error(phase, Fault::Slow(Duration::from_secs(30))).is_permanent(), "{phase:?}");
        }
        for phase in [Phase::Greeting, Phase::Hello, Phase::StartTls, Phase::Login] {
            assert!(!error(phase, Fault::refused(554, "go away")).is_permanent(), "{phase:?}");
        }
        assert!(!error(Phase::Mail, Fault::refused(530, "authentication required")).is_permanent());
    }

    #[test]
    fn what_a_server_says_stands_on_one_line() {
        let said = error(Phase::Recipient, Fault::refused(550, "no\r\nsuch \u{1b}[31muser")).to_string();
        assert!(said.starts_with("send by mail.example.org:587: RCPT TO: the server answered 550 no"), "{said}");
        assert!(!said.chars().any(char::is_control), "{said:?}");
        assert!(error(Phase::Recipient, Fault::refused(550, &"x".repeat(10_000))).to_string().len() < 500);
    }
}
