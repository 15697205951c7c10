//! TLS by a client that does what others would not: it closes without a word, or sends something else than TLS.

mod control;
mod data;
mod hostile;
