//! `[[prometheus]]`: whom capacity rules ask.

use std::collections::BTreeMap;
use std::time::Duration;

use watchkeeper_engine::source::{Key, Keys, Shape, Spanned, Takes};
use watchkeeper_engine::time::Span;

use super::reader::Reader;
use super::secret::Secret;

/// A Prometheus, or what speaks its HTTP API.
#[derive(Debug, Clone)]
pub struct Prometheus {
    /// Its name, by which rules know it.
    pub name: String,
    /// What its API's paths are put behind, without `/` at the end.
    pub url: String,
    /// Sent as a bearer token; `None`: none is.
    pub token: Option<Secret>,
    /// How long a whole answer may take. Default 30 s, 1 s to 5 min.
    pub answer_max: Duration,
}

/// What Prometheus itself takes before it lets a query fall is 2 min; nobody who is that slow is asked every few minutes.
const ANSWER_MAX: Span = Span::seconds(30);
const ANSWER_RANGE: (Span, Span) = (Span::seconds(1), Span::minutes(5));

pub(super) static PROMETHEUS: Shape = Shape {
    what: "[[prometheus]]",
    keys: &[
        Key::must("name", Takes::Text, "its name, by which capacity rules know it."),
        Key::must("url", Takes::Text, "where it is, without /api/v1."),
        Key::may("token_file", Takes::Text, "the file that holds a bearer token for it."),
        Key::may("timeout", Takes::Duration, "how long a whole answer may take."),
    ],
    later: &[],
};

impl<'a> Reader<'a> {
    /// Every server; faults are reported.
    pub(super) fn prometheus(&self, file: &Keys<'a, '_>) -> Vec<Prometheus> {
        let mut names = BTreeMap::new();
        let mut servers = Vec::new();
        for keys in self.sections(file, "prometheus", &PROMETHEUS) {
            let name = keys.get::<Spanned<&str>>("name");
            if let Some(name) = &name {
                self.check_name(name, "Prometheus", &mut names);
            }
            let url = keys.get::<Spanned<&str>>("url").and_then(|url| self.server_url(&url));
            let token = keys.get::<Spanned<&str>>("token_file").and_then(|file| self.password(&file));
            let answer_max = keys.get::<Spanned<Span>>("timeout").map_or(ANSWER_MAX, |given| {
                if given.value < ANSWER_RANGE.0 || given.value > ANSWER_RANGE.1 {
                    self.fault(&given.span, "`timeout` is from 1s to 5m".to_owned(), "the default is 30s for a whole answer");
                }
                given.value
            });
            if let (Some(name), Some(url)) = (name, url) {
                let answer_max = Duration::from_millis(u64::try_from(answer_max.0).unwrap_or_default());
                servers.push(Prometheus { name: name.value.to_owned(), url, token, answer_max });
            }
        }
        servers
    }

    fn server_url(&self, given: &Spanned<&str>) -> Option<String> {
        let parsed = reqwest::Url::parse(given.value).ok().filter(|url| {
            let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain
        });
        if parsed.is_none() {
            // Never the text itself: it may hold a password.
            let help = "write http:// or https://, the host, and a path where a proxy adds one, such as http://prometheus:9090; a token stands in token_file";
            self.fault(&given.span, "this is no address of a Prometheus".to_owned(), help);
        }
        parsed.map(|_| given.value.trim_end_matches('/').to_owned())
    }
}
