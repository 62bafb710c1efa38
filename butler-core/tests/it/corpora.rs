//! The targets of `fuzz/`, without a fuzzer: the seeds, and mutations of them.

use std::path::{Path, PathBuf};

#[expect(unreachable_pub, reason = "it is public where fuzzers use it")]
#[path = "../../../fuzz/src/targets.rs"]
mod targets;

/// Mutations of each seed.
const MUTATIONS: usize = 60;

/// Pieces with which mutations go further than noise would.
const PIECES: [&[u8]; 12] = [
    b"(",
    b")",
    b"[",
    b"{",
    b"\"",
    b"'",
    b"\0",
    b"\xff\xff\xff\xff",
    b"null",
    b": ",
    b"&a ",
    b"-1",
];

/// A generator of numbers with a seed: xorshift64*.
struct Random(u64);

impl Random {
    /// A number below `end`, which must not be 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let next = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D);
        usize::try_from(next % end as u64).unwrap()
    }

    /// Some bytes with a few of them changed, removed, repeated or put in.
    fn mutated(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let start = self.below(bytes.len() + 1);
            let end = (start + self.below(9)).min(bytes.len());
            match self.below(4) {
                0 => drop(bytes.splice(start..end, PIECES[self.below(PIECES.len())].to_vec())),
                1 => drop(bytes.drain(start..end)),
                2 => {
                    let piece = bytes[start..end].repeat(1 + self.below(20));
                    drop(bytes.splice(start..start, piece));
                }
                _ if start < bytes.len() => bytes[start] ^= 1 << self.below(8),
                _ => bytes.truncate(start / 2),
            }
        }
        bytes
    }
}

fn seeds(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let entries = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn fuzz_targets_hold_for_their_seeds_and_mutations_of_them() {
    let mut random = Random(20_261_125);
    for (name, target) in targets::TARGETS {
        let files = seeds(name);
        assert!(files.len() >= 10, "there are few seeds for {name}");
        for file in files {
            let seed = std::fs::read(&file).unwrap();
            target(&seed);
            // It goes up to a limit, whatever is changed.
            if file.ends_with("bomb") {
                continue;
            }
            for _ in 0..MUTATIONS {
                target(&random.mutated(&seed));
            }
        }
    }
}
