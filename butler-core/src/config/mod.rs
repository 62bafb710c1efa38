//! Butler configurations: the tree itself, how trees are merged, the defaults every repository
//! starts from, and the keys that datasets are looked up with. Reading files is left to others.

mod defaults;
mod include;
mod key;
mod lookup;
mod root;
mod tree;

pub use defaults::{DefaultFile, Defaults, EmbeddedDefaults, Section};
pub use include::{INCLUDE_KEY, INCLUDE_TAG, IncludeSite, TagSite};
pub use key::{Segment, split_key};
pub use lookup::{LookupKey, LookupSet, LookupTable, LookupTarget};
pub use root::{BUTLER_ROOT_TAG, replace_root};
pub use tree::Config;
