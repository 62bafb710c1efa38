//! Python format strings, taken apart.

/// A piece of a format string: literal text and perhaps the field after it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// The text before the field.
    pub(super) literal: String,
    /// The field, unless this is text only.
    pub(super) field: Option<Field>,
}

/// A replacement field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    /// The alternatives, best first.
    pub(super) names: Vec<Name>,
    /// What Python applies before it formats: `s`, `r` or `a`.
    pub(super) conversion: Option<char>,
    /// The format specification without the marks of templates.
    pub(super) spec: String,
    /// Whether the field may be missing (`?`).
    pub(super) optional: bool,
    /// Whether slashes in the value are kept (`/`).
    pub(super) keep_slashes: bool,
}

/// A field's name, perhaps with a field of the dimension's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// All of it.
    pub(super) full: String,
    /// The part before the dot.
    pub(super) primary: String,
    /// The part after the dot.
    pub(super) secondary: Option<String>,
}

/// Takes a format string apart; the error says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let after = &rest[at + 1..];
        if after.starts_with(brace) {
            // A doubled brace stands for itself, and ends a piece of text.
            literal.push_str(brace);
            parts.push(Part {
                literal: std::mem::take(&mut literal),
                field: None,
            });
            rest = &after[1..];
            continue;
        }
        if brace == "}" {
            return Err("a single '}' outside of a field; write '}}' for a brace".into());
        }
        let end = closing_brace(after).ok_or("a '{' is never closed")?;
        let field = parse_field(&after[..end])?;
        parts.push(Part {
            literal: std::mem::take(&mut literal),
            field: Some(field),
        });
        rest = &after[end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part {
            literal,
            field: None,
        });
    }
    Ok(parts)
}

/// Where the brace is that closes the field which has just been opened.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn parse_field(text: &str) -> Result<Field, String> {
    let end = text.find(['!', ':']).unwrap_or(text.len());
    let (names, mut rest) = text.split_at(end);
    let mut conversion = None;
    if let Some(after) = rest.strip_prefix('!') {
        let mut chars = after.chars();
        let kind = chars
            .next()
            .ok_or("nothing follows the '!' of a conversion")?;
        if !matches!(kind, 's' | 'r' | 'a') {
            return Err(format!(
                "unknown conversion '!{kind}'; expected !s, !r or !a"
            ));
        }
        conversion = Some(kind);
        rest = chars.as_str();
        if !rest.is_empty() && !rest.starts_with(':') {
            return Err(format!("expected ':' after the conversion in '{{{text}}}'"));
        }
    }
    let spec = rest.strip_prefix(':').unwrap_or_default();
    if spec.contains(['{', '}']) || names.contains(['{', '}']) {
        return Err(format!("fields cannot be nested: '{{{text}}}'"));
    }
    Ok(Field {
        names: names.split('|').map(parse_name).collect::<Result<_, _>>()?,
        conversion,
        spec: spec.replace(['?', '/'], ""),
        optional: spec.contains('?'),
        keep_slashes: spec.contains('/'),
    })
}

fn parse_name(text: &str) -> Result<Name, String> {
    let (primary, secondary) = match text.split_once('.') {
        Some((primary, secondary)) => (primary, Some(secondary)),
        None => (text, None),
    };
    if secondary.is_some_and(|secondary| secondary.contains('.')) {
        return Err(format!("field '{text}' has more than one dot"));
    }
    Ok(Name {
        full: text.to_owned(),
        primary: primary.to_owned(),
        secondary: secondary.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_have_alternatives_and_marks() {
        let parts = parse("{run:/}/a_{visit|exposure.obs_id!s:?>08}x").unwrap();
        assert_eq!(parts.len(), 3);
        let run = parts[0].field.as_ref().unwrap();
        assert!(run.keep_slashes && !run.optional && run.spec.is_empty());
        let visit = parts[1].field.as_ref().unwrap();
        assert_eq!(parts[1].literal, "/a_");
        assert_eq!(visit.names[1].primary, "exposure");
        assert_eq!(visit.names[1].secondary.as_deref(), Some("obs_id"));
        assert_eq!(visit.conversion, Some('s'));
        assert!(visit.optional);
        assert_eq!(visit.spec, ">08");
        assert_eq!(
            parts[2],
            Part {
                literal: "x".into(),
                field: None
            }
        );
    }

    #[test]
    fn doubled_braces_are_text() {
        let parts = parse("a{{b}}").unwrap();
        let text: String = parts.iter().map(|part| part.literal.as_str()).collect();
        assert_eq!(text, "a{b}");
    }

    #[test]
    fn broken_strings_are_refused() {
        for text in ["{a", "a}", "{a!x}", "{a!}", "{a.b.c}", "{a:{b}}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
