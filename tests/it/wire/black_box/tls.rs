//! TLS with clients that do what others would not: they close without close_notify, or send
//! something else.

mod control;
mod data;
mod hostile;
