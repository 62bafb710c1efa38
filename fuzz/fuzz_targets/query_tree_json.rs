//! Any document is a query that survives the way out and in again, or an error of its sender.
#![no_main]

use butler_core::dimensions::DimensionUniverse;
use butler_core::query::{QueryTree, ResultSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let universe = DimensionUniverse::default_universe();
    match QueryTree::from_json(text, universe) {
        Ok(tree) => {
            let written = tree.to_json().expect("what has been read can be written");
            let again = QueryTree::from_json(&written.to_string(), universe);
            assert_eq!(again.expect("what has been written can be read"), tree);
        }
        Err(error) => assert!(error.is_user_error(), "{error:?}"),
    }
    if let Err(error) = ResultSpec::from_json(text, universe) {
        assert!(error.is_user_error(), "{error:?}");
    }
});
