//! Shortening of identifiers that are too long for the database.

use blake2::digest::consts::U4;
use blake2::{Blake2b, Digest};

/// Bytes of the digest that keeps shortened names apart.
const DIGEST_BYTES: usize = 4;

/// Shortens `name` to `max_length` characters in the way the reference implementation does: the
/// start of the name, an underscore and eight hexadecimal digits of its BLAKE2b digest.
///
/// The result is part of the schema's contract: both implementations must find the same
/// constraint and sequence names.
pub fn shrink(name: &str, max_length: usize) -> String {
    if name.len() <= max_length {
        return name.to_owned();
    }
    let digest = Blake2b::<U4>::digest(name.as_bytes());
    let keep = max_length - 2 * DIGEST_BYTES - 1;
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}_{hex}", &name[..keep])
}

#[cfg(test)]
mod tests {
    use super::shrink;

    #[test]
    fn short_names_stay() {
        assert_eq!(shrink("collection_unq_name", 63), "collection_unq_name");
    }

    #[test]
    fn long_names_get_the_digest_of_the_reference() {
        let name = "dataset_tags_00000002_unq_dataset_type_id_collection_id_instrument_detector";
        assert_eq!(
            shrink(name, 63),
            "dataset_tags_00000002_unq_dataset_type_id_collection_i_01265326"
        );
    }
}
