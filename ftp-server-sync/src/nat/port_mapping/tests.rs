//! The codecs, which a fuzz target compiles without them.

mod nat_pmp;
mod pcp;
