//! `[mail.smtp]`: the keys of a mail server, and the checks that go across them.

use std::net::IpAddr;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use watchkeeper_engine::source::{Key, Keys, Shape, Spanned, Takes};
use watchkeeper_engine::time::Span;

use super::reader::Reader;
use super::{Login, Secrets, Security, Smtp};

/// Bytes of a host name, as DNS bounds it.
const HOST_BYTES_MAX: usize = 253;
/// How long a step may take unless the file says otherwise.
const STEP_MAX: Span = Span::seconds(30);
/// The least and the longest that the file may say.
const STEP_RANGE: (Span, Span) = (Span::seconds(1), Span::minutes(5));

pub(super) static SHAPE: Shape = Shape {
    what: "[mail.smtp]",
    keys: &[
        Key::must("host", Takes::Text, "the mail server."),
        Key::may("port", Takes::Count, "its port."),
        Key::may("security", Takes::Word(Security::WORDS), "none, starttls or tls."),
        Key::may("user", Takes::Text, "who logs in."),
        Key::may("password_file", Takes::Text, "the file that holds the password."),
        Key::may("ca_file", Takes::Text, "certificates of a CA of your own."),
        Key::may("timeout", Takes::Duration, "how long one step may take."),
    ],
    later: &[],
};

impl<'a> Reader<'a> {
    /// The server that `keys` name; faults are reported.
    pub(super) fn smtp(&self, keys: &Keys<'a, '_>) -> Option<Smtp> {
        let host = keys.get::<Spanned<&str>>("host").filter(|host| self.is_host(host));
        let security = keys.node("security").and_then(|node| self.reading.word(node, "security", Security::WORDS));
        let security = security.and_then(|word| Security::WORDS.iter().position(|known| *known == word));
        let security = security.map_or(Security::StartTls, |at| Security::ALL[at]);
        let port = keys.get::<Spanned<u32>>("port").map(|port| match u16::try_from(port.value) {
            Ok(number) if number > 0 => number,
            Ok(_) | Err(_) => {
                self.fault(&port.span, format!("`{}` is no port", port.value), "ports are 1 to 65535; mail servers have 587, 465 or 25");
                0
            }
        });
        let login = self.login(keys, host.as_ref().map(|host| host.value), security);
        let authorities = keys.get::<Spanned<&str>>("ca_file").map_or_else(Vec::new, |file| self.authorities(&file));
        let step_max = keys.get::<Spanned<Span>>("timeout").map_or(STEP_MAX, |given| {
            if given.value < STEP_RANGE.0 || given.value > STEP_RANGE.1 {
                self.fault(
                    &given.span,
                    "`timeout` is from 1s to 5m".to_owned(),
                    "the default is 30s for each step, and twice that for a whole mail",
                );
            }
            given.value
        });
        Some(Smtp {
            host: host?.value.to_owned(),
            port: port.unwrap_or_else(|| security.port()),
            security,
            login,
            authorities,
            step_max: Duration::from_millis(u64::try_from(step_max.0).unwrap_or_default()),
        })
    }

    fn is_host(&self, host: &Spanned<&str>) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_name = !host.value.is_empty() && host.value.len() <= HOST_BYTES_MAX && host.value.chars().all(fits);
        let good = is_name || host.value.parse::<IpAddr>().is_ok();
        if !good {
            let help = "write a name or an IP address alone, such as mail.example.org; the port is a key of its own";
            self.fault(&host.span, format!("`{}` is no host", host.value), help);
        }
        good
    }

    /// Requires both user and password, or neither, and refuses a password over an unencrypted network connection.
    fn login(&self, keys: &Keys<'a, '_>, host: Option<&str>, security: Security) -> Option<Login> {
        let user = keys.get::<Spanned<&str>>("user");
        let password = keys.get::<Spanned<&str>>("password_file");
        let (user, password) = match (user, password) {
            (Some(user), Some(password)) => (user, password),
            (Some(user), None) => {
                self.fault(
                    &user.span,
                    "`user` without `password_file`".to_owned(),
                    "name the file that holds the password, or leave both out",
                );
                return None;
            }
            (None, Some(password)) => {
                self.fault(&password.span, "`password_file` without `user`".to_owned(), "say who logs in, or leave both out");
                return None;
            }
            (None, None) => return None,
        };
        if security == Security::None && !host.is_some_and(is_loopback) {
            let message = "`security = \"none\"` would send the password in the clear".to_owned();
            self.fault(&keys.place_of("security"), message, "use \"starttls\" or \"tls\", or leave out user and password_file");
        }
        if user.value.is_empty() || user.value.chars().any(char::is_control) {
            self.fault(&user.span, "`user` is empty or has control characters".to_owned(), "write the name as the server knows it");
        }
        Some(Login { user: user.value.to_owned(), password: self.password(&password)? })
    }

    fn authorities(&self, name: &Spanned<&str>) -> Vec<CertificateDer<'static>> {
        if self.environment.secrets == Secrets::Assumed {
            return Vec::new();
        }
        let path = self.folder.join(name.value);
        let help = "ca_file is a PEM file with the certificates of your own CA: -----BEGIN CERTIFICATE-----";
        let read: Result<Vec<_>, _> = match CertificateDer::pem_file_iter(&path) {
            Ok(found) => found.collect(),
            Err(error) => Err(error),
        };
        match read {
            Ok(found) if found.is_empty() => self.fault(&name.span, format!("{} holds no certificate", path.display()), help),
            Ok(found) => {
                let mut store = RootCertStore::empty();
                for certificate in &found {
                    if let Err(error) = store.add(certificate.clone()) {
                        self.fault(&name.span, format!("{} holds a certificate that cannot be trusted: {error}", path.display()), help);
                    }
                }
                return found;
            }
            Err(error) => self.fault(&name.span, format!("cannot read {}: {error}", path.display()), help),
        }
        Vec::new()
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
