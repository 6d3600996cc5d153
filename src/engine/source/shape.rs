//! Tables of what a mapping may hold: one table checks the keys of a file and gives the JSON Schema that editors use.

use serde_json::{Value, json};

/// What a mapping may hold.
#[derive(Debug)]
pub struct Shape {
    /// What it is, as messages say it: `a correlate rule`.
    pub what: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Keys that a later version will know, refused by name; each with what to do until then: a clause that goes on after `until then`.
    pub later: &'static [(&'static str, &'static str)],
}

/// One key of a mapping.
#[derive(Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub takes: Takes,
    /// Whether the mapping is refused without it.
    pub required: bool,
    /// What it means, with unit and default: what an editor shows.
    pub doc: &'static str,
}

impl Key {
    /// A key that must be there.
    pub const fn must(name: &'static str, takes: Takes, doc: &'static str) -> Key {
        Key { name, takes, required: true, doc }
    }

    /// A key that may be left out.
    pub const fn may(name: &'static str, takes: Takes, doc: &'static str) -> Key {
        Key { name, takes, required: false, doc }
    }
}

/// What a value may be.
#[derive(Debug)]
pub enum Takes {
    /// A text.
    Text,
    /// An expression of CEL; a text.
    Expression,
    /// `true` or `false`.
    Flag,
    /// A number without a fraction, not negative.
    Count,
    /// A number.
    Number,
    /// A number and a unit: `90s`, `5m`, `4h`, `7d`, `2w`, `3m20s`.
    Duration,
    /// The time of a target: `15m` and `4h` of wall time, `30bm` and `8bh` of working time, `2bd` working days.
    Allowance,
    /// A moment: RFC 3339 with a zone.
    Moment,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A list.
    List(&'static Takes),
    /// One, or a list of them.
    OneOrList(&'static Takes),
    /// A mapping with known keys.
    Map(&'static Shape),
    /// A mapping with free keys.
    Pairs(&'static Takes),
    /// One of several.
    Either(&'static [Takes]),
    /// Anything.
    Any,
}

impl Shape {
    /// The keys that are known, in order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }

    /// Every key below this mapping that a later version will know, with what it stands in.
    pub fn later_below(&'static self) -> Vec<(&'static str, &'static str)> {
        fn below(takes: &'static Takes, found: &mut Vec<(&'static str, &'static str)>) {
            match takes {
                Takes::Map(shape) => found.extend(shape.later_below()),
                Takes::List(of) | Takes::OneOrList(of) | Takes::Pairs(of) => below(of, found),
                Takes::Either(of) => of.iter().for_each(|of| below(of, found)),
                Takes::Text
                | Takes::Expression
                | Takes::Flag
                | Takes::Count
                | Takes::Number
                | Takes::Duration
                | Takes::Allowance
                | Takes::Moment
                | Takes::Word(_)
                | Takes::Any => {}
            }
        }
        let mut found: Vec<_> = self.later.iter().map(|(key, _)| (self.what, *key)).collect();
        self.keys.iter().for_each(|key| below(&key.takes, &mut found));
        found
    }

    /// JSON Schema (draft 2020-12) of this mapping.
    pub fn schema(&self) -> Value {
        let properties: serde_json::Map<String, Value> = self
            .keys
            .iter()
            .map(|key| {
                let mut schema = key.takes.schema();
                if let Value::Object(object) = &mut schema {
                    object.insert("description".to_owned(), json!(key.doc));
                }
                (key.name.to_owned(), schema)
            })
            .collect();
        let required: Vec<&str> = self.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if let (Value::Object(object), false) = (&mut schema, required.is_empty()) {
            object.insert("required".to_owned(), json!(required));
        }
        schema
    }
}

impl Takes {
    /// JSON Schema of such a value.
    pub fn schema(&self) -> Value {
        let scalar = || json!({ "type": ["string", "number", "boolean"] });
        match self {
            Takes::Text => scalar(),
            Takes::Expression => json!({ "type": ["string", "boolean"] }),
            Takes::Flag => json!({ "type": "boolean" }),
            Takes::Count => json!({ "type": "integer", "minimum": 0 }),
            Takes::Number => json!({ "type": "number" }),
            Takes::Duration => json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d|w))+$" }),
            Takes::Allowance => json!({ "type": "string", "pattern": "^(([0-9]+(s|m|h))+|([0-9]+b(m|h))+|[0-9]+bd)$" }),
            Takes::Moment => json!({ "type": "string", "format": "date-time" }),
            Takes::Word(words) => json!({ "enum": words }),
            Takes::List(of) => json!({ "type": ["array", "null"], "items": of.schema() }),
            Takes::OneOrList(of) => json!({ "anyOf": [of.schema(), { "type": "array", "items": of.schema() }] }),
            Takes::Map(shape) => shape.schema(),
            Takes::Pairs(of) => json!({ "type": ["object", "null"], "additionalProperties": of.schema() }),
            Takes::Either(of) => json!({ "anyOf": of.iter().map(Takes::schema).collect::<Vec<_>>() }),
            Takes::Any => json!({}),
        }
    }
}
