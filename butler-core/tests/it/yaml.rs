//! YAML text that is written here, as PyYAML reads it.

use crate::support::python;
use std::io::Write as _;
use std::process::{Command, Stdio};

use butler_core::yaml::{Map, Value, parse, to_string, to_string_sorted};

/// Texts made of what is most likely to be mistaken for syntax or for another type.
fn nasty_texts() -> Vec<String> {
    const PIECES: [&str; 40] = [
        " ", "  ", ":", ": ", " #", "#", "-", "- ", "?", "? ", "'", "\"", "\\", "\n", "\t", "a",
        "B", "0", "1", "9", "_", ".", "e", "E", "+", "~", "null", "yes", "no", "true", "0x", "0o",
        "[", "]", "{", "}", ",", "&", "*", "!",
    ];
    let mut state = 12345u64;
    let mut next = |bound: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut texts: Vec<String> = (0..3000)
        .map(|_| (0..=next(5)).map(|_| PIECES[next(PIECES.len())]).collect())
        .collect();
    texts.extend(
        [
            "",
            "é",
            "日本",
            "\u{2028}",
            "\u{85}",
            "\u{feff}",
            "😀",
            "\u{7}",
            "\u{a0}x",
            "2020-01-01",
        ]
        .map(str::to_owned),
    );
    texts
}

#[test]
fn texts_survive_the_way_through_pyyaml() {
    let texts = nasty_texts();
    let items: Vec<Value> = texts.iter().map(|text| text.as_str().into()).collect();
    let mut map: Map = texts
        .iter()
        .map(|text| (text.clone(), text.as_str().into()))
        .collect();
    map.insert(
        "nested".into(),
        vec![Value::Seq(items.clone()), Value::Map(map.clone())].into(),
    );
    let value = Value::Map(map);
    for written in [to_string(&value), to_string_sorted(&value)] {
        assert_eq!(parse(&written).unwrap().to_json(), value.to_json());
    }

    let read = |text: &str| pyyaml("print(json.dumps(yaml.safe_load(sys.stdin.buffer)))", text);
    let output = read(&to_string(&value));
    let read: serde_json::Value = serde_json::from_str(&output).unwrap();
    assert_eq!(read, value.to_json());
}

#[test]
fn texts_survive_the_way_from_pyyaml() {
    let mut texts = nasty_texts();
    // Long texts are broken into lines, long keys are written in a form of their own.
    let long: Vec<String> = texts.chunks(40).map(|chunk| chunk.join(" ")).collect();
    texts.extend(long);
    let map: Map = texts
        .iter()
        .map(|text| (text.clone(), text.as_str().into()))
        .collect();
    let value = Value::Map(Map::from_iter([
        ("map".to_owned(), Value::Map(map)),
        (
            "list".to_owned(),
            texts
                .iter()
                .map(|text| text.as_str().into())
                .collect::<Vec<_>>()
                .into(),
        ),
        (
            "numbers".to_owned(),
            vec![Value::Float(1e-7), Value::Float(1e20), Value::Int(-3)].into(),
        ),
    ]));
    let json = value.to_json().to_string();
    let written = pyyaml("print(yaml.safe_dump(json.load(sys.stdin)))", &json);
    assert_eq!(parse(&written).unwrap(), value);
}

/// What a line of Python prints when it is given a text.
fn pyyaml(code: &str, input: &str) -> String {
    let python = python();
    let mut child = Command::new(python)
        .args(["-c", &format!("import yaml,json,sys; {code}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let feeder = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
