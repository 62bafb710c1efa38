#![allow(clippy::unwrap_used)]

use super::*;

/// The tree in full parentheses.
fn show(node: &Node<'_>) -> String {
    let list = |nodes: &[Node<'_>], separator: &str| -> String {
        let shown: Vec<_> = nodes.iter().map(show).collect();
        shown.join(separator)
    };
    match &node.kind {
        NodeKind::Or(nodes) => format!("[{}]", list(nodes, " OR ")),
        NodeKind::And(nodes) => format!("[{}]", list(nodes, " AND ")),
        NodeKind::Not(operand) => format!("[NOT {}]", show(operand)),
        NodeKind::Comparison { lhs, operator, rhs } => {
            format!("[{} {operator:?} {}]", show(lhs), show(rhs))
        }
        NodeKind::Arithmetic { lhs, operator, rhs } => {
            format!("[{} {operator:?} {}]", show(lhs), show(rhs))
        }
        NodeKind::In {
            member,
            values,
            negated,
        } => {
            let not = if *negated { "NOT " } else { "" };
            format!("[{} {not}IN {}]", show(member), list(values, ", "))
        }
        NodeKind::Signed { negative, operand } => {
            format!("[{}{}]", if *negative { "-" } else { "+" }, show(operand))
        }
        NodeKind::Parens(inner) => format!("({})", show(inner)),
        NodeKind::Tuple(nodes) => format!("({})", list(&**nodes, ", ")),
        NodeKind::Call {
            function,
            arguments,
        } => format!("{}({})", function.name(), list(arguments, ", ")),
        NodeKind::Identifier(name) => (*name).to_owned(),
        NodeKind::Bind(name) => format!(":{name}"),
        NodeKind::Int(value) => value.to_string(),
        NodeKind::Float(value) => format!("{value:?}"),
        NodeKind::Str(text) => format!("'{text}'"),
        NodeKind::Time(ns) => format!("T{ns}"),
        NodeKind::Uuid(id) => id.to_string(),
        NodeKind::Range {
            start,
            stop,
            stride,
        } => format!("{start}..{stop}:{stride}"),
    }
}

fn parsed(text: &str) -> String {
    match parse(text) {
        Ok(node) => show(&node.unwrap()),
        Err(problem) => panic!("{}", problem.into_error(text)),
    }
}

fn refused(text: &str) -> String {
    match parse(text) {
        Ok(node) => panic!("{text} is accepted as {node:?}"),
        Err(problem) => {
            assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len());
            problem.into_error(text).to_string()
        }
    }
}

#[test]
fn operators_bind_as_strongly_as_in_the_reference() {
    for (text, tree) in [
        ("a OR b and c", "[a OR [b AND c]]"),
        ("a or b Or c AND d AND e", "[a OR b OR [c AND d AND e]]"),
        ("NOT a = b AND c", "[[NOT [a Equal b]] AND c]"),
        ("NOT NOT a OR b", "[[NOT [NOT a]] OR b]"),
        ("a = b = c", "[[a Equal b] Equal c]"),
        (
            "a OVERLAPS b != c < d",
            "[[[a Overlaps b] NotEqual c] Less d]",
        ),
        (
            "a + b * c - d % 2 >= 1",
            "[[[a Add [b Multiply c]] Subtract [d Modulo 2]] GreaterOrEqual 1]",
        ),
        (
            "-a * b / +c <= 1",
            "[[[[-a] Multiply b] Divide [+c]] LessOrEqual 1]",
        ),
        ("a - -1 > - 1", "[[a Subtract [-1]] Greater [-1]]"),
        ("a+1 IN (1, 2)", "[[a Add 1] IN 1, 2]"),
        (
            "a NOT IN (1) AND NOT b in (:c)",
            "[[a NOT IN 1] AND [NOT [b IN :c]]]",
        ),
        ("a = b IN (1) OR c", "[[a Equal [b IN 1]] OR c]"),
        ("(a AND b) AND (c, d)", "[([a AND b]) AND (c, d)]"),
        ("(not a) = b", "[([NOT a]) Equal b]"),
    ] {
        assert_eq!(parsed(text), tree, "{text}");
    }
}

#[test]
fn literals_are_told_apart() {
    for (text, tree) in [
        ("007", "7"),
        ("1.", "1.0"),
        (".5e1", "5.0"),
        ("1e-3", "0.001"),
        ("9223372036854775807", "9223372036854775807"),
        (
            "a IN (-9223372036854775808, +1.5)",
            "[a IN -9223372036854775808, 1.5]",
        ),
        (
            "a IN (1..9:2, -5 .. -1,1..2 : 3)",
            "[a IN 1..9:2, -5..-1:1, 1..2:3]",
        ),
        ("a -1..2", "a"),
        ("'it\"s' = 'T'", "['it\"s' Equal 'T']"),
        ("'' = ''", "['' Equal '']"),
        (
            "t'58938.5' = T'unix_tai/1'",
            "[T1585569600000000000 Equal T1000000000]",
        ),
        ("visit.timespan.begin", "visit.timespan.begin"),
        ("and.or", "and.or"),
        (":and = :x", "[:and Equal :x]"),
        (
            "uuid(('{urn:uuid:12345678-1234-5678-1234-567812345678}'))",
            "12345678-1234-5678-1234-567812345678",
        ),
    ] {
        if text == "a -1..2" {
            assert!(refused(text).contains("found the range -1..2"), "{text}");
        } else {
            assert_eq!(parsed(text), tree, "{text}");
        }
    }
}

#[test]
fn functions_know_their_arguments() {
    for text in [
        "POINT(1, 2)",
        "CIRCLE(-1.5, :dec, radius)",
        "BOX(1, 2, 3, 4)",
        "POLYGON(0, 0, 1, 0, 1, 1)",
        "REGION('CIRCLE 1 2 3')",
        "GLOB(visit.name, 'a*')",
        "GLOB((a), (:pattern))",
    ] {
        parsed(text);
    }
    for (text, why) in [
        ("POINT(1)", "two arguments"),
        (
            "circle(1, 2)",
            "CIRCLE takes three arguments (ra, dec, radius), not 2",
        ),
        ("CIRCLE(1, 2, 'x')", "argument 3 of CIRCLE must be a number"),
        ("CIRCLE((1), 2, 3)", "argument 1 of CIRCLE"),
        ("POLYGON(1, 2, 3, 4, 5, 6, 7)", "pairs"),
        ("POLYGON(1, 2, 3, 4)", "at least three vertices"),
        ("REGION(1)", "must be a string"),
        ("GLOB('a', 'b')", "argument 1 of GLOB must be a column"),
        ("GLOB(a, b)", "argument 2 of GLOB must be a string"),
        ("UUID(:id)", "string literal"),
        ("UUID('12')", "32 hexadecimal digits"),
        ("BOX()", "four arguments"),
        ("SIN(1)", "there is no function 'SIN'"),
        ("POINT(1, 2", "expected an operator or ',' or ')'"),
        ("POINT(, 1, 2)", "found ','"),
        ("a IN (POINT(1, 2))", "found another function"),
    ] {
        let error = refused(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn errors_say_what_was_expected_and_show_where() {
    assert_eq!(
        refused("visit = = 5"),
        "Invalid query expression at line 1, column 9: expected a column, a literal, a :bind name, \
         a function or '(', found '='; equality is written with a single =\n  visit = = 5\n          ^"
    );
    for (text, why) in [
        ("visit == 5", "single ="),
        ("visit <> 5", "!="),
        ("visit IS NULL", "= NULL"),
        ("band LIKE 'a%'", "GLOB"),
        ("visit BETWEEN 1 AND 2", "IN (first..last)"),
        ("a = NOT b", "parentheses around a condition with NOT"),
        ("visit = \"5\"", "single quotes"),
        ("visit = 'a", "closing quote"),
        ("visit = 'a\nb'", "closing quote"),
        ("visit ! 5", "!="),
        ("a.b.c.d = 1", "two dots"),
        ("a. = 1", "two dots"),
        ("visit = : x", "colon"),
        ("visit IN 5", "'(' after IN"),
        ("visit IN ()", "found ')'"),
        ("visit IN (1, )", "found ')'"),
        ("visit IN (a.b)", "name without dots"),
        ("visit IN ((1))", "found '('"),
        ("visit IN (1 + 2)", "holds no operators"),
        ("visit IN (-a)", "a number after the sign"),
        ("visit IN (1..5:0)", "colon"),
        ("visit IN (1) IN (2)", "cannot be followed by IN"),
        ("visit IN (1) + 2", "cannot be followed by '+'"),
        ("(a, b, c)", "two bounds of a timespan"),
        ("(a", "')'"),
        ("a)", "found ')'"),
        ("()", "found ')'"),
        ("a AND", "found the end of the expression"),
        ("a NOT b", "found NOT"),
        ("1e", "found 'e'"),
        ("1.5.5", "found the number .5"),
        ("1..2..3", "unexpected character '.'"),
        ("visit = 9223372036854775808", "64 bits"),
        ("a IN (1..9223372036854775808)", "64 bits"),
        ("a = 1e999", "double precision"),
        ("a = T'tomorrow'", "'tomorrow' is not a time"),
        ("a = T'58938'", "mjd/58938"),
        ("a = T'stardate/1.5'", "stardate"),
        ("a = T'58938.5/ut1'", "ut1"),
        ("a = 1;", "without a semicolon"),
        ("é = 1", "ASCII"),
        ("a = ١", "ASCII"),
    ] {
        let error = refused(text);
        assert!(error.contains(why), "{text}: {error}");
        assert!(error.ends_with('^'), "{error}");
    }
}

#[test]
fn nothing_is_an_expression() {
    assert_eq!(parse(""), Ok(None));
    assert_eq!(parse(" \t\n "), Ok(None));
}

/// Deep nesting of every kind, all in a stack much smaller than any thread's.
#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let nestings = |depth: usize| {
        let around =
            |open: &str, close: &str| format!("{}a{}", open.repeat(depth), close.repeat(depth));
        [
            around("(", ")"),
            around("NOT ", ""),
            around("- ", ""),
            around("POINT(1, ", ")"),
            around("(1, ", ")"),
            around("a OR a AND a = a + a * (", ")"),
            around("a OR a AND NOT a = a + a * - (", ")"),
            around("", " + 1"),
            around("", " = 1"),
        ]
    };
    let run = move || {
        for text in nestings(MAX_DEPTH / 10) {
            parse(&text).map(drop).unwrap();
        }
        for depth in [MAX_DEPTH / 9, MAX_DEPTH - 1, MAX_DEPTH, 10_000] {
            for text in nestings(depth) {
                if let Err(problem) = parse(&text) {
                    assert!(problem.message.contains("levels deep"), "{problem:?}");
                } else {
                    assert!(depth < MAX_DEPTH);
                }
            }
        }
    };
    let small = std::thread::Builder::new().stack_size(1 << 20);
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn rows_of_operators_may_be_long() {
    for operator in [" AND ", " OR "] {
        let text = vec!["visit = 1"; 20_000].join(operator);
        let node = parse(&text).unwrap().unwrap();
        assert_eq!(node.height, 3);
    }
    let text = format!("visit IN ({})", vec!["1"; 20_000].join(", "));
    assert_eq!(parse(&text).unwrap().unwrap().height, 2);
}
