//! Base64 (RFC 4648): the alphabet of headers and the one of addresses.

/// Which digits stand for 62 and 63, and whether `=` fills the last group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// `+` and `/`, filled: headers.
    Standard,
    /// `-` and `_`, not filled: paths.
    Address,
}

impl Alphabet {
    const fn last(self) -> [u8; 2] {
        match self {
            Alphabet::Standard => *b"+/",
            Alphabet::Address => *b"-_",
        }
    }
}

/// The text of some bytes.
pub fn encode(bytes: &[u8], alphabet: Alphabet) -> String {
    let digit = |six: u32| match u8::try_from(six).expect("six bits fit a byte") {
        n @ 0..26 => char::from(b'A' + n),
        n @ 26..52 => char::from(b'a' + n - 26),
        n @ 52..62 => char::from(b'0' + n - 52),
        n => char::from(alphabet.last()[usize::from(n & 1)]),
    };
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for n in 0..4 {
            if n <= three.len() {
                out.push(digit(bits >> (18 - 6 * n) & 63));
            } else if alphabet == Alphabet::Standard {
                out.push('=');
            }
        }
    }
    out
}

/// The bytes of a text, filled or not; `None` where it is none.
pub fn decode(text: &str, alphabet: Alphabet) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            other => 62 + u8::try_from(alphabet.last().iter().position(|last| *last == other)?).ok()?,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).expect("eight bits fit a byte"));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648, section 10.
    #[test]
    fn the_examples_of_the_standard_hold_both_ways() {
        for (plain, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(plain.as_bytes(), Alphabet::Standard), text);
            assert_eq!(encode(plain.as_bytes(), Alphabet::Address), text.trim_end_matches('='));
            assert_eq!(decode(text, Alphabet::Standard).as_deref(), Some(plain.as_bytes()));
        }
        let ends = [0xfb, 0xff];
        assert_eq!((encode(&ends, Alphabet::Standard), encode(&ends, Alphabet::Address)), ("+/8=".to_owned(), "-_8".to_owned()));
        assert_eq!((decode("-_8", Alphabet::Address), decode("-_8", Alphabet::Standard)), (Some(ends.to_vec()), None));
    }
}
