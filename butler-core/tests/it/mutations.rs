//! What reads queries from anybody, on inputs that are almost right: no panic, no answer out of
//! proportion to its question. The targets in `fuzz/` look further.

use std::collections::BTreeSet;

use butler_core::Error;
use butler_core::dimensions::{DimensionGroup, DimensionUniverse};
use butler_core::query::language::ast::{Node, NodeKind};
use butler_core::query::language::{
    BindValue, BindValues, MAX_DEPTH, ParseContext, parse, parse_order_by, parse_where, tokenize,
};
use butler_core::query::limits::MAX_PREDICATE_LEAVES;
use butler_core::query::{DatasetTypeKey, QueryTree, ResultSpec};

use crate::support::{fixture, fixture_value};

/// A generator of numbers with a seed: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`, which must not be 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// `text` with a few pieces inserted, removed, repeated or taken from another text.
fn mutated(text: &str, other: &str, pieces: &[&str], random: &mut Random) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=random.below(4) {
        let start = random.below(chars.len() + 1);
        let end = (start + random.below(12)).min(chars.len());
        match random.below(6) {
            0 | 1 => drop(chars.splice(start..start, random.pick(pieces).chars())),
            2 => drop(chars.drain(start..end)),
            3 => {
                let piece: Vec<char> = chars[start..end].to_vec();
                let times = 1 + random.below(40);
                drop(chars.splice(start..start, piece.repeat(times)));
            }
            4 => drop(chars.splice(start..end, random.pick(pieces).chars())),
            _ => {
                let other: Vec<char> = other.chars().collect();
                let from = random.below(other.len() + 1);
                let to = (from + random.below(60)).min(other.len());
                drop(chars.splice(start..end, other[from..to].to_vec()));
            }
        }
    }
    chars.into_iter().collect()
}

/// The number of nodes and the depth of a tree.
fn measure(node: &Node<'_>) -> (usize, usize) {
    let children: Vec<&Node<'_>> = match &node.kind {
        NodeKind::Or(nodes) | NodeKind::And(nodes) => nodes.iter().collect(),
        NodeKind::Not(node) | NodeKind::Parens(node) => vec![node],
        NodeKind::Signed { operand, .. } => vec![operand],
        NodeKind::Comparison { lhs, rhs, .. } | NodeKind::Arithmetic { lhs, rhs, .. } => {
            vec![lhs, rhs]
        }
        NodeKind::In { member, values, .. } => std::iter::once(&**member).chain(values).collect(),
        NodeKind::Tuple(nodes) => nodes.iter().collect(),
        NodeKind::Call { arguments, .. } => arguments.iter().collect(),
        _ => Vec::new(),
    };
    children
        .into_iter()
        .map(measure)
        .fold((1, 1), |sum, child| {
            (sum.0 + child.0, sum.1.max(child.1 + 1))
        })
}

/// What takes time and memory is bounded by the length of the input.
fn check_sizes(text: &str) {
    let Ok(tokens) = tokenize(text) else {
        return;
    };
    assert!(tokens.len() <= text.len() + 1);
    let in_order = tokens.windows(2).all(|pair| {
        pair[0].span.start < pair[0].span.end && pair[0].span.end <= pair[1].span.start
    });
    assert!(in_order, "{text:?}");
    if let Ok(Some(tree)) = parse(text) {
        let (nodes, depth) = measure(&tree);
        assert!(nodes <= tokens.len() && depth <= MAX_DEPTH, "{text:?}");
    }
}

fn check_expression(text: &str, context: &ParseContext<'_>) {
    check_sizes(text);
    match parse_where(text, context) {
        Ok(predicate) => {
            let leaves: usize = predicate.operands().iter().map(Vec::len).sum();
            assert!(leaves <= MAX_PREDICATE_LEAVES, "{text:?}");
            assert!(predicate.to_json().is_ok(), "{text:?}");
            let _ = predicate.to_string();
        }
        Err(Error::InvalidQuery(message)) => {
            assert!(message.ends_with('^'), "{text:?}: {message}");
            assert!(
                message.len() < 2000 + 10 * text.len(),
                "{text:?}: {message}"
            );
        }
        Err(other) => panic!("{text:?}: {other:?}"),
    }
}

#[test]
fn almost_right_expressions_are_expressions_or_errors_with_a_place() {
    let parts = fixture("expressions.json");
    let rows = parts[2].as_array().unwrap().iter();
    let corpus: Vec<&str> = rows.map(|row| row[2].as_str().unwrap()).collect();
    let pieces = [
        "(",
        ")",
        "((((",
        "))))",
        ",",
        "=",
        "!=",
        "<",
        "-",
        "+",
        "*",
        "/",
        "%",
        " AND ",
        " OR ",
        "NOT ",
        " IN (",
        " NOT IN (",
        " OVERLAPS ",
        "'",
        "T'",
        ":",
        ":i",
        ":l",
        ":f",
        ":s",
        ":t",
        ".",
        "..",
        "1",
        "1..2:3",
        "9",
        "e9",
        "NULL",
        " ",
        "\n",
        "\t",
        "\r",
        "\0",
        "é",
        "\u{10ffff}",
        "visit",
        "visit.timespan",
        "POINT(",
        "GLOB(",
        "UUID('",
        "REGION('POLYGON ",
        "9223372036854775807",
        "1e308",
        "T'9999-12-31'",
        "mjd/",
        "/tai",
    ];
    let dimensions: DimensionGroup = DimensionUniverse::default_universe()
        .conform(["visit", "exposure", "patch"])
        .unwrap();
    let datasets = BTreeSet::from([DatasetTypeKey::from("raw")]);
    let bind = BindValues::from([
        ("i".to_owned(), BindValue::from(1_i64)),
        ("f".to_owned(), BindValue::from(1.5)),
        ("s".to_owned(), BindValue::from("CIRCLE 1 2 3")),
        ("t".to_owned(), BindValue::Time(1_585_571_433_000_000_000)),
        ("l".to_owned(), BindValue::from(vec![1_i64, 2, 3])),
    ]);
    let context = ParseContext::new(&dimensions)
        .with_datasets(&datasets)
        .with_bind(&bind);
    let mut random = Random(0x5EED);
    for round in 0..20_000 {
        let (text, other) = (random.pick(&corpus), random.pick(&corpus));
        let text = mutated(text, other, &pieces, &mut random);
        check_expression(&text, &context);
        if round % 10 == 0 {
            // Whatever is no order is an error; only panics matter here.
            let _ = parse_order_by(&text, &context);
        }
    }
}

/// Trees and specifications of results that are not too long to change often.
fn documents() -> Vec<String> {
    let rows = fixture_value("query_trees.json");
    let rows = rows["queries"].as_array().unwrap().iter();
    let documents = rows.flat_map(|row| [row["tree"].to_string(), row["spec"].to_string()]);
    documents.filter(|text| text.len() < 2000).collect()
}

#[test]
fn almost_right_documents_are_queries_or_errors_of_their_sender() {
    let universe = DimensionUniverse::default_universe();
    let corpus: Vec<String> = documents();
    assert!(corpus.len() > 100);
    let corpus: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        "[[[[",
        "\"",
        ",",
        ":",
        "null",
        "true",
        "-1",
        "0",
        "1e400",
        "1.5",
        "18446744073709551616",
        "\\u0000",
        "\\ud800",
        "\"operands\":[[]]",
        "\"predicate_type\":\"not\"",
        "\"visit\"",
        "\"dimensions\":[\"visit\"]",
        "\"expression_type\":\"int\"",
        "é",
        "\"operator\":\"overlaps\"",
        "\"AAAA\"",
        "{\"a\":",
        " ",
    ];
    let mut random = Random(0xD0C5);
    let mut n_read = 0;
    for _ in 0..6_000 {
        let (text, other) = (random.pick(&corpus), random.pick(&corpus));
        let text = mutated(text, other, &pieces, &mut random);
        match QueryTree::from_json(&text, universe) {
            Ok(tree) => {
                n_read += 1;
                let written = tree.to_json().unwrap().to_string();
                assert_eq!(
                    QueryTree::from_json(&written, universe).unwrap(),
                    tree,
                    "{text}"
                );
            }
            Err(error) => assert!(error.is_user_error(), "{text}: {error:?}"),
        }
        if let Err(error) = ResultSpec::from_json(&text, universe) {
            assert!(error.is_user_error(), "{text}: {error:?}");
        }
    }
    assert!(n_read > 100, "only {n_read} were read");
}
