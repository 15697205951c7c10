//! Drivers that are wrong in one point each, and what finds them.

mod bad_drivers;
mod driver;
mod files;
mod judge_rules;
mod machine;
mod server;
