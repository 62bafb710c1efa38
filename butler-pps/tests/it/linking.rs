//! What the program needs of the system that it runs on.

use std::process::Command;

/// Libraries of the image's base, `distroless/cc-debian12`, which docs/one-machine.md asks of other systems.
const THERE: [&str; 6] = [
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libssl.so.3",
    "libcrypto.so.3",
    "ld-linux",
];

/// Kafka's client would take more of them, if it found them where it is built.
#[test]
fn the_program_needs_no_library_that_the_image_lacks() {
    let output = Command::new("readelf")
        .arg("--dynamic")
        .arg(env!("CARGO_BIN_EXE_butler-pps"))
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let needed = text
        .lines()
        .filter(|line| line.contains("(NEEDED)"))
        .map(|line| line.split(['[', ']']).nth(1).unwrap());
    let needed: Vec<&str> = needed.collect();
    assert!(needed.contains(&"libc.so.6"), "{text}");
    for library in needed {
        let there = THERE.iter().any(|known| library.starts_with(known));
        assert!(there, "the image has no {library}");
    }
}
