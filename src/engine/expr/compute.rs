//! What the operations of an expression give: comparisons, arithmetic, functions of one value, parts of a moment. What has no value is a fault of the operation.

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::tz::TimeZone;
use serde_json::{Number, Value};

use super::eval::{Function, Ir, Over, Part, Run, RunFault, Scope};
use super::functions::{host, workload};
use super::parse::{Arithmetic, Comparison};
use super::value::Val;
use crate::limits;
use crate::text::{cut, one_line};
use crate::time::{Span, Time};

impl Ir {
    /// The answer of a comparison.
    pub(super) fn compare(&self, op: Comparison, left: &Val<'_>, right: &Val<'_>) -> Run<bool> {
        match op {
            Comparison::Equal => return Ok(left.equals(right)),
            Comparison::Unequal => return Ok(!left.equals(right)),
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual => {}
        }
        let Some(order) = left.order(right) else {
            // What is no number is in no order with numbers.
            let is_number = |side: &Val<'_>| matches!(side, Val::Int(_) | Val::Double(_));
            return if is_number(left) && is_number(right) {
                Ok(false)
            } else {
                Err(self.fault(format!("{} and {} have no order", left.kind(), right.kind())))
            };
        };
        Ok(match op {
            Comparison::Less => order == Ordering::Less,
            Comparison::LessOrEqual => order != Ordering::Greater,
            Comparison::Greater => order == Ordering::Greater,
            Comparison::GreaterOrEqual | Comparison::Equal | Comparison::Unequal => order != Ordering::Less,
        })
    }

    /// A member or an element of a value.
    pub(super) fn part<'a>(&self, of: Val<'a>, key: Val<'a>) -> Run<Val<'a>> {
        let at = |at: i64| usize::try_from(at).ok();
        Ok(match (of, key) {
            (of @ (Val::Json(Value::Object(_)) | Val::Map(_)), Val::Text(name)) => of.member(&name).unwrap_or(Val::Null),
            (Val::Json(Value::Array(items)), Val::Int(key)) => at(key).and_then(|at| items.get(at)).map_or(Val::Null, Val::from),
            (Val::List(mut items), Val::Int(key)) => match at(key).filter(|at| *at < items.len()) {
                Some(at) => items.swap_remove(at),
                None => Val::Null,
            },
            // No list has an element between two.
            (Val::Json(Value::Array(_)) | Val::List(_), Val::Double(_) | Val::Json(Value::Number(_))) | (Val::Null, _) => Val::Null,
            (of, key) => return Err(self.fault(format!("{} cannot be asked for {}", of.kind(), key.kind()))),
        })
    }

    pub(super) fn arithmetic<'a, O: Over<'a>>(
        &self,
        op: Arithmetic,
        left: Val<'a>,
        right: Val<'a>,
        scope: &Scope<'a, '_, O>,
    ) -> Run<Val<'a>> {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        let whole = |a: i64, b: i64| {
            let result = match op {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide | Remainder if b == 0 => return Err(self.fault("division by zero".to_owned())),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            };
            result.ok_or_else(|| self.overflow())
        };
        let decimal = |a: f64, b: f64| {
            let result = match op {
                Add => a + b,
                Subtract => a - b,
                Multiply => a * b,
                Divide => a / b,
                Remainder => a % b,
            };
            // JSON has neither infinity nor "not a number".
            let fits = result.is_finite() || scope.message().is_none();
            fits.then_some(Val::Double(result)).ok_or_else(|| self.fault("the result is no number".to_owned()))
        };
        Ok(match (op, left, right) {
            (_, Val::Int(a), Val::Int(b)) => Val::Int(whole(a, b)?),
            (_, Val::Double(a), Val::Double(b)) => decimal(a, b)?,
            (_, Val::Int(a), Val::Double(b)) => decimal(a as f64, b)?,
            (_, Val::Double(a), Val::Int(b)) => decimal(a, b as f64)?,
            (Add, Val::Text(a), Val::Text(b)) if a.len() + b.len() > limits::TEXT_RESULT_BYTES_MAX => {
                return Err(self.fault(format!("the text grows beyond {} bytes", limits::TEXT_RESULT_BYTES_MAX)));
            }
            (Add, Val::Text(a), Val::Text(b)) => Val::Text(Cow::Owned(a.into_owned() + b.as_ref())),
            (Add, Val::Time(a), Val::Span(b)) | (Add, Val::Span(b), Val::Time(a)) => Val::Time(Time(whole(a.0, b.0)?)),
            (Subtract, Val::Time(a), Val::Span(b)) => Val::Time(Time(whole(a.0, b.0)?)),
            (Subtract, Val::Time(a), Val::Time(b)) => Val::Span(Span(whole(a.0, b.0)?)),
            (Add | Subtract, Val::Span(a), Val::Span(b)) => Val::Span(Span(whole(a.0, b.0)?)),
            (_, a @ Val::Json(Value::Number(_)), b) | (_, a, b @ Val::Json(Value::Number(_))) => {
                return self.arithmetic(op, a.reckoned(), b.reckoned(), scope);
            }
            (_, a, b) => {
                let textual = matches!(a, Val::Text(_)) || matches!(b, Val::Text(_));
                let help = if textual { "; `string(…)` makes a text" } else { "" };
                return Err(self.fault(format!("{} {} {} has no value{help}", a.kind(), op.sign(), b.kind())));
            }
        })
    }

    pub(super) fn apply<'a, O: Over<'a>>(&self, function: Function, of: Val<'a>, scope: &Scope<'a, '_, O>) -> Run<Val<'a>> {
        let is_json = scope.message().is_some();
        let shown = |text: &str| cut(&one_line(text), 60);
        Ok(match (function, of) {
            (Function::Size, of) => match of.size() {
                Some(size) => Val::Int(size as i64),
                None => return Err(self.fault(format!("{} has no size", of.kind()))),
            },
            (Function::Lower | Function::Host | Function::Workload | Function::ToText, Val::Null) => Val::text(""),
            (Function::Lower, Val::Text(text)) => Val::Text(Cow::Owned(text.to_lowercase())),
            (Function::Host, Val::Text(text)) => Val::Text(part_of(text, host)),
            (Function::Workload, Val::Text(text)) => Val::Text(part_of(text, workload)),
            (Function::Lower | Function::Host | Function::Workload, other) => return Err(self.unfit("a text", &other)),
            (Function::ToText, Val::Double(number)) if is_json => {
                Val::Text(Cow::Owned(Number::from_f64(number).map_or_else(String::new, |number| number.to_string())))
            }
            (
                Function::ToText,
                other @ (Val::List(_) | Val::Texts(_) | Val::Labels(_) | Val::Map(_) | Val::Json(Value::Array(_) | Value::Object(_))),
            ) => return Err(self.fault(format!("{} is no text", other.kind()))),
            (Function::ToText, value) => Val::Text(value.into_text()),
            (Function::ToInt | Function::ToDouble, Val::Text(text)) => match function {
                Function::ToInt => Val::Int(text.trim().parse().map_err(|_| self.fault(format!("`{}` is no whole number", shown(&text))))?),
                _ => {
                    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite() || !is_json);
                    Val::Double(number.ok_or_else(|| self.fault(format!("`{}` is no number", shown(&text))))?)
                }
            },
            (Function::ToInt, Val::Time(time)) => Val::Int(time.0.div_euclid(1_000)),
            (Function::ToInt, value) => match value.reckoned() {
                Val::Int(number) => Val::Int(number),
                // The bounds are exact doubles; what lies between them fits.
                Val::Double(number) if number > -9_223_372_036_854_775_808.0 && number < 9_223_372_036_854_775_808.0 => {
                    Val::Int(number as i64)
                }
                Val::Double(number) => return Err(self.fault(format!("`{number}` is no whole number of 64 bits"))),
                other => return Err(self.unfit("a whole number", &other)),
            },
            (Function::ToDouble, value) => match value.reckoned() {
                Val::Int(number) => Val::Double(number as f64),
                Val::Double(number) => Val::Double(number),
                other => return Err(self.unfit("a number", &other)),
            },
        })
    }

    pub(super) fn overflow(&self) -> Box<RunFault> {
        self.fault("the number leaves 64 bits".to_owned())
    }

    pub(super) fn unfit(&self, expected: &str, found: &Val<'_>) -> Box<RunFault> {
        self.fault(format!("expected {expected}, this is {}", found.kind()))
    }

    pub(super) fn fault(&self, message: String) -> Box<RunFault> {
        Box::new(RunFault { span: self.span.clone(), message: one_line(&message) })
    }
}

impl Part {
    pub(super) fn of_time(self, time: Time, zone: &TimeZone) -> i64 {
        let civil = time.in_zone(zone);
        match self {
            Part::FullYear => i64::from(civil.year()),
            Part::Month => i64::from(civil.month()) - 1,
            Part::Date => i64::from(civil.day()),
            Part::DayOfMonth => i64::from(civil.day()) - 1,
            Part::DayOfWeek => i64::from(civil.weekday().to_sunday_zero_offset()),
            Part::DayOfYear => i64::from(civil.day_of_year()) - 1,
            Part::Hours => i64::from(civil.hour()),
            Part::Minutes => i64::from(civil.minute()),
            Part::Seconds => i64::from(civil.second()),
            Part::Milliseconds => time.0.rem_euclid(1_000),
        }
    }

    pub(super) fn of_span(self, span: Span) -> i64 {
        match self {
            Part::Hours => span.0 / 3_600_000,
            Part::Minutes => span.0 / 60_000,
            Part::Seconds => span.0 / 1_000,
            Part::Milliseconds => span.0 % 1_000,
            Part::FullYear | Part::Month | Part::Date | Part::DayOfMonth | Part::DayOfWeek | Part::DayOfYear => 0,
        }
    }
}

/// A part of a text without copying one that is borrowed.
fn part_of<'a>(text: Cow<'a, str>, part: fn(&str) -> &str) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(part(text)),
        Cow::Owned(text) => Cow::Owned(part(&text).to_owned()),
    }
}
