//! `[[out]]`: hooks, which are told of incidents as people are by mail.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use watchkeeper_engine::source::{Key, Keys, Shape, Spanned, Takes};
use watchkeeper_engine::time::Span;

use super::reader::Reader;
use super::secret::Secret;

/// A hook that messages go to: `hook:NAME` in the rules.
#[derive(Debug, Clone)]
pub struct Out {
    /// Its name.
    pub name: String,
    /// Where its messages are posted. Chat services put a secret into it.
    pub url: Secret,
    /// The template `NAME.json.hbs` that makes its bodies; `None`: the daemon's own JSON.
    pub template: Option<Spanned<String>>,
    /// What a template knows as `out.topic`; may be empty.
    pub topic: String,
    /// What its messages are signed with; `None`: they are not.
    pub key: Option<SigningKey>,
    /// Sent as a bearer token; `None`: none is.
    pub token: Option<Secret>,
    /// Whether addresses that are not public are allowed. Default no: a name that somebody else controls could otherwise lead into the own network.
    pub allow_private: bool,
    /// How long a whole answer may take. Default 30 s, 1 s to 5 min.
    pub answer_max: Duration,
}

/// The key of Standard Webhooks, as `whsec_` and base64 give it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey(Vec<u8>);

impl SigningKey {
    /// The key of a secret's text; `None` where it is none.
    pub fn read(text: &str) -> Option<SigningKey> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        KEY_BYTES.contains(&bytes.len()).then_some(SigningKey(bytes))
    }

    /// The key itself.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Bytes of a key, as Standard Webhooks bounds them.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const ANSWER_MAX: Span = Span::seconds(30);
const ANSWER_RANGE: (Span, Span) = (Span::seconds(1), Span::minutes(5));

pub(super) static OUT: Shape = Shape {
    what: "[[out]]",
    keys: &[
        Key::must("name", Takes::Text, "its name, by which rules know it: hook:NAME."),
        Key::may("url", Takes::Text, "where messages are posted."),
        Key::may("url_file", Takes::Text, "the file that holds the url, where that has a secret in it."),
        Key::may("template", Takes::Text, "slack, teams, mattermost, ntfy, or NAME of a NAME.json.hbs. Default: the daemon's own JSON."),
        Key::may("topic", Takes::Text, "what the template knows as out.topic; ntfy needs it."),
        Key::may("secret_file", Takes::Text, "the file that holds the signing key, whsec_ and base64."),
        Key::may("token_file", Takes::Text, "the file that holds a bearer token for it."),
        Key::may("allow_private", Takes::Flag, "whether it may be in a private network."),
        Key::may("timeout", Takes::Duration, "how long a whole answer may take."),
    ],
    later: &[],
};

impl<'a> Reader<'a> {
    /// Every hook; faults are reported.
    pub(super) fn outs(&self, file: &Keys<'a, '_>) -> Vec<Out> {
        let mut names = BTreeMap::new();
        let mut outs = Vec::new();
        for keys in self.sections(file, "out", &OUT) {
            let name = keys.get::<Spanned<&str>>("name");
            if let Some(name) = &name {
                self.check_name(name, "hook", &mut names);
            }
            let url = self.hook_url(&keys);
            let template = keys.get::<Spanned<&str>>("template").map(|given| Spanned { value: given.value.to_owned(), span: given.span });
            let key = keys.get::<Spanned<&str>>("secret_file").and_then(|file| self.signing_key(&file));
            let token = keys.get::<Spanned<&str>>("token_file").and_then(|file| self.password(&file));
            let answer_max = keys.get::<Spanned<Span>>("timeout").map_or(ANSWER_MAX, |given| {
                if given.value < ANSWER_RANGE.0 || given.value > ANSWER_RANGE.1 {
                    self.fault(&given.span, "`timeout` is from 1s to 5m".to_owned(), "the default is 30s for a whole answer");
                }
                given.value
            });
            if let (Some(name), Some(url)) = (name, url) {
                outs.push(Out {
                    name: name.value.to_owned(),
                    url,
                    template,
                    topic: keys.get::<&str>("topic").unwrap_or_default().to_owned(),
                    key,
                    token,
                    allow_private: keys.get::<bool>("allow_private").unwrap_or_default(),
                    answer_max: Duration::from_millis(u64::try_from(answer_max.0).unwrap_or_default()),
                });
            }
        }
        outs
    }

    fn hook_url(&self, keys: &Keys<'a, '_>) -> Option<Secret> {
        let (url, file) = (keys.get::<Spanned<&str>>("url"), keys.get::<Spanned<&str>>("url_file"));
        let (url, span, is_read) = match (url, file) {
            (Some(url), None) => (Secret::new(url.value), url.span, true),
            // Where secrets are taken to be good, nothing is known of it.
            (None, Some(file)) => (self.password(&file)?, file.span, self.environment.secrets == super::Secrets::Read),
            (Some(_), Some(file)) => {
                self.fault(&file.span, "`url` and `url_file` are both given".to_owned(), "keep one of them");
                return None;
            }
            (None, None) => {
                let place = keys.place_of("name");
                self.fault(&place, "an [[out]] needs a url".to_owned(), "write `url`, or `url_file` where the url has a secret in it");
                return None;
            }
        };
        let fits = reqwest::Url::parse(url.expose())
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.password().is_none());
        if is_read && !fits {
            // Never the text itself: it may be a secret.
            self.fault(
                &span,
                "this is no address of a hook".to_owned(),
                "write http:// or https://, the host and the path; a token stands in token_file",
            );
            return None;
        }
        Some(url)
    }

    fn signing_key(&self, file: &Spanned<&str>) -> Option<SigningKey> {
        let secret = self.password(file)?;
        if self.environment.secrets == super::Secrets::Assumed {
            return None;
        }
        let key = SigningKey::read(secret.expose());
        if key.is_none() {
            let help = "make one with: echo whsec_$(head -c 32 /dev/urandom | base64)";
            self.fault(&file.span, "this file holds no key of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64".to_owned(), help);
        }
        key
    }
}
