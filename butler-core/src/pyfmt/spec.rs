//! Python's format specifications for integers, floats and text.

use std::borrow::Cow;

use super::float_repr;

/// A value as Python would have it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PyValue<'a> {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Cow<'a, str>),
    /// An object that has a text form but takes no format specification.
    Other(Cow<'a, str>),
}

impl PyValue<'_> {
    /// What `str()` gives.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::None => "None".into(),
            Self::Bool(true) => "True".into(),
            Self::Bool(false) => "False".into(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => float_repr(*number),
            Self::Str(text) | Self::Other(text) => text.to_string(),
        }
    }
}

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`, taken apart.
#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// The largest width or precision; paths are far shorter.
const MAX_SIZE: usize = 1024;

fn parse(text: &str) -> Result<Spec, String> {
    let wrong = || format!("'{text}' is not a valid format specification");
    let mut spec = Spec::default();
    let chars: Vec<char> = text.chars().collect();
    let is_align = |c: Option<&char>| c.is_some_and(|c| matches!(c, '<' | '>' | '=' | '^'));
    let mut at = 0;
    if is_align(chars.get(1)) {
        spec.fill = Some(chars[0]);
        spec.align = Some(chars[1]);
        at = 2;
    } else if is_align(chars.first()) {
        spec.align = Some(chars[0]);
        at = 1;
    }
    let mut take = |options: &[char]| {
        let found = chars.get(at).copied().filter(|c| options.contains(c));
        at += usize::from(found.is_some());
        found
    };
    spec.sign = take(&['+', '-', ' ']);
    spec.alternate = take(&['#']).is_some();
    if take(&['0']).is_some() && spec.fill.is_none() {
        spec.fill = Some('0');
        spec.align = spec.align.or(Some('='));
    }
    let mut number = || {
        let mut digits = String::new();
        while let Some(c) = take(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
            digits.push(c);
        }
        digits
    };
    let size = |digits: &str| match digits.parse::<usize>() {
        Ok(size) if size <= MAX_SIZE => Ok(size),
        _ => Err(format!("the size {digits} in '{text}' is too large")),
    };
    let width = number();
    if !width.is_empty() {
        spec.width = size(&width)?;
    }
    spec.grouping = take(&[',', '_']);
    if take(&['.']).is_some() {
        let mut digits = String::new();
        while let Some(c) = take(&['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']) {
            digits.push(c);
        }
        if digits.is_empty() {
            return Err(wrong());
        }
        spec.precision = Some(size(&digits)?);
    }
    spec.kind = chars.get(at).copied();
    if chars.len() > at + 1 {
        return Err(wrong());
    }
    Ok(spec)
}

/// What `format(value, spec)` gives.
pub(crate) fn format_value(value: &PyValue<'_>, spec: &str) -> Result<String, String> {
    if spec.is_empty() {
        return Ok(value.to_text());
    }
    let parsed = parse(spec)?;
    let unsuitable = |what: &str| format!("the format '{spec}' does not suit {what}");
    match value {
        PyValue::None => Err(unsuitable("a missing value")),
        PyValue::Other(_) => Err(unsuitable("this kind of value")),
        PyValue::Str(text) => format_str(text, &parsed).ok_or_else(|| unsuitable("text")),
        PyValue::Int(number) => {
            format_int(*number, &parsed).ok_or_else(|| unsuitable("an integer"))
        }
        PyValue::Bool(flag) => {
            format_int(i64::from(*flag), &parsed).ok_or_else(|| unsuitable("a boolean"))
        }
        PyValue::Float(number) => {
            format_float(*number, &parsed).ok_or_else(|| unsuitable("a number"))
        }
    }
}

fn format_str(text: &str, spec: &Spec) -> Option<String> {
    let suits = matches!(spec.kind, None | Some('s'))
        && spec.sign.is_none()
        && !spec.alternate
        && spec.grouping.is_none()
        && (spec.align != Some('=') || spec.fill == Some('0'));
    if !suits {
        return None;
    }
    let text: String = match spec.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let align = spec.align.filter(|align| *align != '=').unwrap_or('<');
    Some(pad("", &text, spec, align))
}

fn format_int(number: i64, spec: &Spec) -> Option<String> {
    if matches!(spec.kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) {
        return format_float(number as f64, spec);
    }
    if spec.precision.is_some() {
        return None;
    }
    let magnitude = number.unsigned_abs();
    let (prefix, digits, group) = match spec.kind {
        None | Some('d' | 'n') => ("", magnitude.to_string(), 3),
        Some('b') => ("0b", format!("{magnitude:b}"), 4),
        Some('o') => ("0o", format!("{magnitude:o}"), 4),
        Some('x') => ("0x", format!("{magnitude:x}"), 4),
        Some('X') => ("0X", format!("{magnitude:X}"), 4),
        _ => return None,
    };
    if spec.grouping == Some(',') && group == 4 {
        return None;
    }
    let prefix = if spec.alternate { prefix } else { "" };
    let sign = format!("{}{prefix}", sign_text(number < 0, spec));
    Some(finish_number(&sign, &digits, "", group, spec))
}

fn format_float(number: f64, spec: &Spec) -> Option<String> {
    let kind = spec.kind.unwrap_or('\0');
    let magnitude = number.abs();
    let precision = spec.precision.unwrap_or(6);
    let text = if !magnitude.is_finite() {
        if magnitude.is_nan() { "nan" } else { "inf" }.to_owned()
    } else {
        match kind.to_ascii_lowercase() {
            'f' => format!("{magnitude:.precision$}"),
            '%' => format!("{:.precision$}%", magnitude * 100.0),
            'e' => exponent_form(magnitude, precision),
            'g' | 'n' => general_form(magnitude, precision, spec.alternate, false),
            '\0' => match spec.precision {
                None => float_repr(magnitude),
                Some(precision) => general_form(magnitude, precision, spec.alternate, true),
            },
            _ => return None,
        }
    };
    let text = if kind.is_ascii_uppercase() {
        text.to_uppercase()
    } else {
        text
    };
    let negative = number.is_sign_negative() && !number.is_nan();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    Some(finish_number(
        sign_text(negative, spec),
        whole,
        rest,
        3,
        spec,
    ))
}

fn exponent_form(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn general_form(number: f64, precision: usize, alternate: bool, keep_point: bool) -> String {
    let precision = precision.max(1);
    let scientific = format!("{number:.*e}", precision - 1);
    let exponent: i32 = scientific
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0);
    // Without a type, Python switches one digit earlier so that a digit follows the point.
    let limit = i32::try_from(precision).unwrap_or(i32::MAX) - i32::from(keep_point);
    let strip = |text: &str| {
        if alternate || !text.contains('.') {
            return text.to_owned();
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if exponent < -4 || exponent >= limit {
        let text = exponent_form(number, precision - 1);
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{exponent}", strip(digits));
    }
    let decimals =
        usize::try_from(i32::try_from(precision).unwrap_or(0) - 1 - exponent).unwrap_or(0);
    let text = strip(&format!("{number:.decimals$}"));
    if keep_point && !text.contains('.') {
        format!("{text}.0")
    } else {
        text
    }
}

fn sign_text(negative: bool, spec: &Spec) -> &'static str {
    match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    }
}

fn finish_number(sign: &str, whole: &str, rest: &str, group: usize, spec: &Spec) -> String {
    let Some(separator) = spec.grouping else {
        return pad(
            sign,
            &format!("{whole}{rest}"),
            spec,
            spec.align.unwrap_or('>'),
        );
    };
    let mut digits = whole.to_owned();
    let zero_filled = spec.fill == Some('0') && spec.align.unwrap_or('>') == '=';
    let mut grouped = insert_separators(&digits, separator, group);
    if zero_filled {
        // Zeros that fill the width are grouped like the digits.
        while sign.len() + grouped.len() + rest.len() < spec.width {
            digits.insert(0, '0');
            grouped = insert_separators(&digits, separator, group);
        }
    }
    pad(
        sign,
        &format!("{grouped}{rest}"),
        spec,
        spec.align.unwrap_or('>'),
    )
}

fn insert_separators(digits: &str, separator: char, group: usize) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(group) {
            out.push(separator);
        }
        out.push(c);
    }
    out
}

fn pad(sign: &str, body: &str, spec: &Spec, align: char) -> String {
    let length = sign.chars().count() + body.chars().count();
    let missing = spec.width.saturating_sub(length);
    let fill = |count: usize| spec.fill.unwrap_or(' ').to_string().repeat(count);
    match align {
        '<' => format!("{sign}{body}{}", fill(missing)),
        '^' => format!(
            "{}{sign}{body}{}",
            fill(missing / 2),
            fill(missing - missing / 2)
        ),
        '=' => format!("{sign}{}{body}", fill(missing)),
        _ => format!("{}{sign}{body}", fill(missing)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn formats_agree_with_python() {
        let int = |n, spec: &str| format_value(&PyValue::Int(n), spec).unwrap();
        assert_eq!(int(42, "08d"), "00000042");
        assert_eq!(int(-42, "06"), "-00042");
        assert_eq!(int(42, "+d"), "+42");
        assert_eq!(int(255, "#x"), "0xff");
        assert_eq!(int(1234567, ","), "1,234,567");
        assert_eq!(int(7, "*^5"), "**7**");
        assert_eq!(int(3, ".2f"), "3.00");
        assert_eq!(int(1234, "08,"), "0,001,234");
        let text =
            |t: &'static str, spec: &str| format_value(&PyValue::Str(t.into()), spec).unwrap();
        assert_eq!(text("ab", ">5"), "   ab");
        assert_eq!(text("abcdef", ".3"), "abc");
        assert_eq!(text("ab", "_<4s"), "ab__");
        assert_eq!(text("ab", "05"), "ab000");
        let float = |x, spec: &str| format_value(&PyValue::Float(x), spec).unwrap();
        assert_eq!(float(2.34567, ".2f"), "2.35");
        assert_eq!(float(0.00001234, "g"), "1.234e-05");
        assert_eq!(float(1e10, ".3e"), "1.000e+10");
        assert_eq!(float(0.5, ".1%"), "50.0%");
        assert_eq!(float(2.0, "6"), "   2.0");
        assert_eq!(float(100.0, ".3"), "1e+02");
    }

    #[test]
    fn unsuitable_formats_are_refused() {
        assert!(format_value(&PyValue::Str("a".into()), "d").is_err());
        assert!(format_value(&PyValue::Str("a".into()), "=5").is_err());
        assert!(format_value(&PyValue::Int(1), "s").is_err());
        assert!(format_value(&PyValue::Int(1), ".2").is_err());
        assert!(format_value(&PyValue::None, "d").is_err());
        assert!(format_value(&PyValue::Int(1), "99999d").is_err());
        assert_eq!(format_value(&PyValue::None, "").unwrap(), "None");
    }
}
