//! What a plain scalar means under YAML 1.1, in the dialect of PyYAML's safe loader.

use std::sync::LazyLock;

use regex::Regex;

use super::Value;

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant that compiles")
}

static FLOAT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?",
        r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*",
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
    ))
});

static INT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)",
        r"|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
    ))
});

static TIMESTAMP: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}",
        r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?",
        r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)$",
    ))
});

/// Turns the text of a plain scalar into a value; the error is the text of a number that is too
/// large for 64 bits.
pub(super) fn resolve_plain(text: &str) -> Result<Value, String> {
    let Some(first) = text.bytes().next() else {
        return Ok(Value::Null);
    };
    match first {
        b'~' | b'n' | b'N' if matches!(text, "~" | "null" | "Null" | "NULL") => Ok(Value::Null),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => {
            Ok(boolean(text).map_or_else(|| Value::Str(text.to_owned()), Value::Bool))
        }
        b'0'..=b'9' | b'+' | b'-' | b'.' => {
            if FLOAT.is_match(text) {
                Ok(Value::Float(float(text)))
            } else if INT.is_match(text) {
                integer(text).map(Value::Int).ok_or_else(|| text.to_owned())
            } else if TIMESTAMP.is_match(text) {
                Ok(Value::Timestamp(text.to_owned()))
            } else {
                Ok(Value::Str(text.to_owned()))
            }
        }
        _ => Ok(Value::Str(text.to_owned())),
    }
}

/// Whether plain text would be read as a string, so that it needs no quotes for its type's sake.
pub(super) fn is_plain_string(text: &str) -> bool {
    !matches!(text, "" | "<<" | "=") && matches!(resolve_plain(text), Ok(Value::Str(_)))
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Reads text that is known to look like a YAML 1.1 float.
pub(super) fn float(text: &str) -> f64 {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let (sign, digits) = split_sign(&clean);
    let magnitude = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ if digits.contains(':') => digits.split(':').fold(0.0, |total, part| {
            total * 60.0 + part.parse::<f64>().unwrap_or(f64::NAN)
        }),
        _ => digits.parse().unwrap_or(f64::NAN),
    };
    if sign { -magnitude } else { magnitude }
}

/// Reads text that is known to look like a YAML 1.1 integer; none if it does not fit 64 bits.
pub(super) fn integer(text: &str) -> Option<i64> {
    let clean = text.replace('_', "");
    let (negative, digits) = split_sign(&clean);
    let magnitude: i128 = if digits == "0" {
        0
    } else if let Some(binary) = digits.strip_prefix("0b") {
        i128::from_str_radix(binary, 2).ok()?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        i128::from_str_radix(hex, 16).ok()?
    } else if digits.starts_with('0') {
        i128::from_str_radix(digits, 8).ok()?
    } else if digits.contains(':') {
        let mut total = 0i128;
        for part in digits.split(':') {
            total = total.checked_mul(60)?.checked_add(part.parse().ok()?)?;
        }
        total
    } else {
        digits.parse().ok()?
    };
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_yaml_1_1() {
        let cases = [
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("y", Value::Str("y".into())),
            ("null", Value::Null),
            ("none", Value::Str("none".into())),
            ("0777", Value::Int(511)),
            ("0o17", Value::Str("0o17".into())),
            ("1_000", Value::Int(1000)),
            ("0x1F", Value::Int(31)),
            ("1:30", Value::Int(90)),
            ("-12", Value::Int(-12)),
            ("1e5", Value::Str("1e5".into())),
            ("1.5e+3", Value::Float(1500.0)),
            ("1.", Value::Float(1.0)),
            (".inf", Value::Float(f64::INFINITY)),
            ("2020-01-01", Value::Timestamp("2020-01-01".into())),
            ("0e1234", Value::Str("0e1234".into())),
            ("08", Value::Str("08".into())),
        ];
        for (text, expected) in cases {
            assert_eq!(resolve_plain(text), Ok(expected), "{text}");
        }
        assert!(resolve_plain("99999999999999999999").is_err());
    }
}
