//! Parameters of a request: read by name, and every one that no reader asked for is a fault that names the nearest known one.

use std::str::FromStr;

use axum::http::Uri;

use watchkeeper_engine::source::nearest;

use super::error::ApiError;

/// The parameters of a request and those a handler knows.
#[derive(Debug)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// The parameters of `uri`, all of them among `known`.
    ///
    /// # Errors
    /// 400: one is not known, or is no text.
    pub fn of(uri: &Uri, known: &[&str]) -> Result<Query, ApiError> {
        let query = Query::tolerant(uri)?;
        match query.pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(unknown("parameter", name, known)),
            None => Ok(query),
        }
    }

    /// The parameters of `uri`, whatever they are called: for APIs that others defined, whose clients send more than is looked at here.
    ///
    /// # Errors
    /// 400: one is no text.
    pub fn tolerant(uri: &Uri) -> Result<Query, ApiError> {
        Query::parse(uri.query().unwrap_or_default())
    }

    /// The fields of a form.
    ///
    /// # Errors
    /// 400: one is no text.
    pub fn parse(text: &str) -> Result<Query, ApiError> {
        let parts = text.split('&').filter(|part| !part.is_empty());
        let pair = |part: &str| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((decoded(name)?, decoded(value)?))
        };
        Ok(Query { pairs: parts.map(pair).collect::<Result<_, ApiError>>()? })
    }

    /// The last value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter, those separated by commas too.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.each(name).flat_map(|value| value.split(',')).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Every value of a parameter, as it was given.
    pub fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A switch: `true` or `false`.
    ///
    /// # Errors
    /// 400: it is neither.
    pub fn flag(&self, name: &str, default: Switch) -> Result<Switch, ApiError> {
        match self.get(name) {
            None => Ok(default),
            Some("true" | "1") => Ok(Switch::On),
            Some("false" | "0") => Ok(Switch::Off),
            Some(other) => Err(ApiError::bad(format!("{name}: expected true or false, this is {other:?}")).with("place", name)),
        }
    }

    /// A number within bounds.
    ///
    /// # Errors
    /// 400: it is none, or beyond them.
    pub fn number(&self, name: &str, range: std::ops::RangeInclusive<usize>, default: usize) -> Result<usize, ApiError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            ApiError::bad(format!("{name}: expected a number from {} to {}, this is {text:?}", range.start(), range.end()))
                .with("place", name)
        })
    }

    /// Words of a closed set; an empty list: no restriction.
    ///
    /// # Errors
    /// 400: one is not of the set.
    pub fn words<T>(&self, name: &str, known: &[&str], of: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ApiError> {
        self.all(name).map(|word| of(word).ok_or_else(|| unknown(&format!("value of {name}"), word, known))).collect()
    }

    /// The states that `state` asks for, an empty list: any. `all` is a word for all of them, and `some` one for those that it picks.
    ///
    /// # Errors
    /// 400: a word is not `known`.
    pub fn states<T: FromStr + Copy>(
        &self,
        known: &[&str],
        all: &[T],
        (some, picks): (&str, impl Fn(T) -> bool),
    ) -> Result<Vec<T>, ApiError> {
        let mut states = Vec::new();
        for word in self.all("state") {
            match word {
                "all" => states.extend(all),
                _ if word == some => states.extend(all.iter().copied().filter(|state| picks(*state))),
                _ => states.push(word.parse().map_err(|_| unknown("value of state", word, known))?),
            }
        }
        Ok(states)
    }

    /// Texts of a parameter of which a value is to be one.
    pub fn any_of(&self, name: &str) -> AnyOf {
        AnyOf(self.all(name).map(str::to_lowercase).collect())
    }

    /// The text that `q` seeks.
    pub fn sought(&self) -> Sought {
        Sought(self.get("q").unwrap_or_default().to_lowercase())
    }
}

/// Texts of which a value is to be one; none where any value will do.
#[derive(Debug, Clone, Default)]
pub struct AnyOf(Vec<String>);

impl AnyOf {
    /// Whether a value is one of them, in whatever case.
    pub fn has(&self, value: &str) -> bool {
        self.0.is_empty() || self.0.contains(&value.to_lowercase())
    }

    /// The texts, in lower case.
    pub fn texts(&self) -> &[String] {
        &self.0
    }

    /// The same, one by one.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// A text that is to be a part of something; empty where nothing is sought.
#[derive(Debug, Clone, Default)]
pub struct Sought(String);

impl Sought {
    /// Whether it is a part of one of some texts, in whatever case.
    pub fn is_in<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        self.0.is_empty() || texts.into_iter().any(|text| text.to_lowercase().contains(&self.0))
    }

    /// The text, in lower case.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A switch in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is on.
    On,
    /// It is off.
    Off,
}

/// 400 about a word that is not known, naming the nearest one that is.
pub fn unknown(what: &str, word: &str, known: &[&str]) -> ApiError {
    let shown: String = word.chars().take(60).collect();
    let hint = nearest(word, known.iter().copied()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    ApiError::bad(format!("unknown {what} {shown:?}{hint}")).with("place", shown).with("known", known.to_vec())
}

fn decoded(text: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return Err(ApiError::bad("a parameter has a % that no two hexadecimal digits follow"));
                };
                u8::try_from(high * 16 + low).expect("two hexadecimal digits fit a byte")
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| ApiError::bad("a parameter is no UTF-8"))
}
