//! What this process may do: its rights, and how it gives them up; the limits of the system.

mod process_rights;
mod run_as;
mod state_directory;
mod system_limits;
mod thread_user;

pub(crate) use process_rights::{ProcessRights, check_start};
pub(crate) use run_as::give_up;
pub(crate) use state_directory::hand_over;
pub(crate) use system_limits::SystemLimits;
pub(crate) use thread_user::{become_user, has_become_user};
