//! The words of an expression: CEL's literals, names and signs with their places, and our own texts for what people type by mistake.

use std::ops::Range;

use super::Fault;

/// One token and the bytes it stands at.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// A whole number without its sign.
    Int(u64),
    /// A number with a point or an exponent.
    Double(f64),
    /// A text in quotes, escapes resolved.
    Text(String),
    /// A name, `in` and the literals' words among them.
    Name(String),
    /// A sign.
    Sign(&'static str),
    /// The end of the text.
    End,
}

/// Signs, longer ones first.
const SIGNS: &[&str] =
    &["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "?", ":", "+", "-", "*", "/", "%", ".", ",", "(", ")", "[", "]", "{", "}"];

/// What people write and CEL does not know: the sign, what is wrong with it, how it is written.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("===", "`===` is no operator", "equality is written `==`"),
    ("!==", "`!==` is no operator", "inequality is written `!=`"),
    ("<>", "`<>` is no operator", "inequality is written `!=`"),
    ("=~", "`=~` stands in `matchers` only", "in an expression write `alert.name.matches(\"…\")`, which is not anchored"),
    ("!~", "`!~` stands in `matchers` only", "in an expression write `!alert.name.matches(\"…\")`, which is not anchored"),
    ("=>", "`=>` is no operator", "greater or equal is written `>=`"),
    ("=<", "`=<` is no operator", "less or equal is written `<=`"),
];

/// Splits `text` into tokens, an `End` last.
///
/// # Errors
/// The first place that is no token.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::with_capacity(text.len() / 4 + 2);
    loop {
        let token = lexer.next()?;
        let ended = token.kind == TokenKind::End;
        found.push(token);
        if ended {
            return Ok(found);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn next(&mut self) -> Result<Token, Fault> {
        self.skip_blanks();
        let start = self.at;
        let Some(c) = self.rest().chars().next() else {
            return Ok(Token { kind: TokenKind::End, span: start..start });
        };
        let kind = if c.is_ascii_digit() || (c == '.' && self.rest()[1..].starts_with(|d: char| d.is_ascii_digit())) {
            self.number()?
        } else if c == '"' || c == '\'' {
            self.quoted(Escapes::Resolved)?
        } else if matches!(c, 'r' | 'R') && self.rest()[1..].starts_with(['"', '\'']) {
            self.at += 1;
            self.quoted(Escapes::Kept)?
        } else if c.is_ascii_alphabetic() || c == '_' {
            let end = self.rest().find(|d: char| !d.is_ascii_alphanumeric() && d != '_').unwrap_or(self.rest().len());
            let name = self.rest()[..end].to_owned();
            self.at += end;
            TokenKind::Name(name)
        } else {
            self.sign(c)?
        };
        Ok(Token { kind, span: start..self.at })
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        loop {
            let trimmed = self.rest().trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
            self.at = self.text.len() - trimmed.len();
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn number(&mut self) -> Result<TokenKind, Fault> {
        let start = self.at;
        let rest = self.rest();
        let (digits, radix) = match rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            Some(hex) => (hex, 16),
            None => (rest, 10),
        };
        let mut end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
        let mut is_double = false;
        if radix == 10 {
            let fraction = |at: usize| digits[at..].bytes().take_while(u8::is_ascii_digit).count();
            if digits[end..].starts_with('.') && fraction(end + 1) > 0 {
                end += 1 + fraction(end + 1);
                is_double = true;
            }
            if digits[end..].starts_with(['e', 'E']) {
                let signed = end + 1 + usize::from(digits[end + 1..].starts_with(['+', '-']));
                if fraction(signed) > 0 {
                    end = signed + fraction(signed);
                    is_double = true;
                }
            }
        }
        let number = &digits[..end];
        self.at = self.text.len() - digits.len() + end;
        let tail = self.rest().bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let whole = start..self.at + tail;
        if tail > 0 {
            let written = &self.text[whole.clone()];
            let fault = Fault::at(whole, format!("`{written}` is no number"), "");
            return Err(if crate::time::Span::parse(written).is_ok() {
                fault.help(format!("a duration is written `duration(\"{written}\")`"))
            } else {
                fault.help("numbers are written like `3`, `-1`, `0.75` or `1e6`")
            });
        }
        let parsed = if is_double {
            number.parse().ok().map(TokenKind::Double)
        } else {
            u64::from_str_radix(number, radix).ok().map(TokenKind::Int)
        };
        parsed.ok_or_else(|| Fault::at(whole.clone(), format!("`{}` is too large for a number", &self.text[whole]), ""))
    }

    fn quoted(&mut self, escapes: Escapes) -> Result<TokenKind, Fault> {
        let start = self.at;
        let quote = &self.text[start..=start];
        let triple = quote.repeat(3);
        let end_mark = if self.rest().starts_with(&triple) { triple.as_str() } else { quote };
        self.at += end_mark.len();
        let mut out = String::new();
        loop {
            if self.rest().starts_with(end_mark) {
                self.at += end_mark.len();
                return Ok(TokenKind::Text(out));
            }
            match self.rest().chars().next() {
                Some('\\') if escapes == Escapes::Resolved => out.push(self.escape()?),
                Some('\\') => {
                    // In a raw text the backslash stays, and still keeps a quote from ending it.
                    out.push('\\');
                    self.at += 1;
                    if let Some(kept) = self.rest().chars().next() {
                        out.push(kept);
                        self.at += kept.len_utf8();
                    }
                }
                Some(c) if end_mark.len() == 3 || !matches!(c, '\n' | '\r') => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
                Some(_) | None => {
                    let fault = Fault::at(start..self.at, "a text without its closing quote", format!("expected `{end_mark}` at its end"));
                    return Err(
                        fault.help("where YAML cut the text at ` #` or at its own quote, put the whole expression in a block after `|`")
                    );
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        let code = self.rest()[1..].chars().next();
        let number = |skip: usize, digits: usize, radix: u32| {
            let written = self.text.get(start + skip..start + skip + digits)?;
            let all = written.chars().all(|c| c.is_digit(radix));
            all.then(|| u32::from_str_radix(written, radix).ok()).flatten().and_then(char::from_u32).map(|c| (c, skip + digits))
        };
        let resolved = match code {
            Some('n') => Some(('\n', 2)),
            Some('r') => Some(('\r', 2)),
            Some('t') => Some(('\t', 2)),
            Some('a') => Some(('\x07', 2)),
            Some('b') => Some(('\x08', 2)),
            Some('f') => Some(('\x0c', 2)),
            Some('v') => Some(('\x0b', 2)),
            Some(same @ ('\\' | '"' | '\'' | '`' | '?')) => Some((same, 2)),
            Some('x' | 'X') => number(2, 2, 16),
            Some('u') => number(2, 4, 16),
            Some('U') => number(2, 8, 16),
            Some('0'..='3') => number(1, 3, 8),
            Some(_) | None => None,
        };
        match resolved {
            Some((c, length)) => {
                self.at += length;
                Ok(c)
            }
            None => {
                let end = start + 1 + code.map_or(0, char::len_utf8);
                let fault = Fault::at(start..end, format!("`{}` is no escape", &self.text[start..end]), "");
                Err(fault.help("a backslash is written `\\\\`; in a regex use a raw text, `r\"\\d+\"`"))
            }
        }
    }

    fn sign(&mut self, c: char) -> Result<TokenKind, Fault> {
        let start = self.at;
        let rest = self.rest();
        if let Some((wrong, message, help)) = MISTAKES.iter().find(|(wrong, ..)| rest.starts_with(wrong)) {
            return Err(Fault::at(start..start + wrong.len(), *message, "").help(*help));
        }
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            self.at += sign.len();
            return Ok(TokenKind::Sign(sign));
        }
        let fault = |message: &str, help: &str| Fault::at(start..start + c.len_utf8(), message, "").help(help);
        Err(match c {
            '=' => fault("`=` does not compare", "equality is written `==`"),
            '&' => fault("a single `&` is no operator", "\"and\" is written `&&`"),
            '|' => fault("a single `|` is no operator", "\"or\" is written `||`"),
            '“' | '”' | '„' | '‘' | '’' | '‚' | '«' | '»' | '`' => {
                fault(&format!("`{c}` is no quote here"), "write plain quotes: \"…\"")
            }
            '#' => fault("`#` begins no comment here", "a comment is written `// …`, or in YAML above the key"),
            '$' | '@' => fault(&format!("`{c}` stands before no name here"), "names are written without a mark: `alert.name`"),
            ';' => fault("`;` is not needed", "an expression ends with its text"),
            _ => fault(
                &format!("`{}` has no meaning in an expression", crate::text::one_line(&c.to_string())),
                "texts stand in quotes: \"…\"",
            ),
        })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    Resolved,
    Kept,
}
