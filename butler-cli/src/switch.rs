//! Options that come as a pair, `--this` and `--no-this`, of which the last one counts.

/// Defines a pair of flags as an argument group with a method `get`. The one that is the default is
/// understood but not listed.
macro_rules! switch {
    ($name:ident, $on:ident / $off:ident, default on, $help:literal) => {
        switch!(@ $name, $on, $off, true, $help, $help, true, false);
    };
    ($name:ident, $on:ident / $off:ident, default off, $help:literal) => {
        switch!(@ $name, $on, $off, false, $help, $help, false, true);
    };
    (@ $name:ident, $on:ident, $off:ident, $default:literal, $help_on:literal, $help_off:literal,
     $hide_on:literal, $hide_off:literal) => {
        #[doc = $help_on]
        #[derive(Debug, Clone, Copy, clap::Args)]
        pub(crate) struct $name {
            #[doc = $help_on]
            #[arg(long, overrides_with = stringify!($off), hide = $hide_on)]
            $on: bool,
            #[doc = $help_off]
            #[arg(long, overrides_with = stringify!($on), hide = $hide_off)]
            $off: bool,
        }

        impl $name {
            /// What was chosen.
            pub(crate) const fn get(self) -> bool {
                if $default { !self.$off } else { self.$on }
            }
        }
    };
}

pub(crate) use switch;
