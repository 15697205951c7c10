//! How much of everything is measured.

/// The amounts of one run.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    /// The large file, and how often each session transfers it.
    pub(crate) large_bytes: u64,
    pub(crate) large_transfers: usize,
    pub(crate) small_files: usize,
    /// How many small files are sent or stored, and how many times a session begins.
    pub(crate) small_transfers: usize,
    pub(crate) logins: usize,
    pub(crate) commands: usize,
    /// Groups of 1000 commands that are sent at once.
    pub(crate) pipelines: usize,
    /// The directory that is listed, and how often.
    pub(crate) entries: usize,
    pub(crate) listings: usize,
    /// Downloads at the same time, and how large each of them is.
    pub(crate) parallel: usize,
    pub(crate) parallel_bytes: u64,
    pub(crate) idle_sessions: usize,
    /// The largest directory and the largest pool whose costs are compared with smaller ones.
    pub(crate) growth_entries_max: usize,
    pub(crate) growth_ports_max: u16,
    /// The most sessions at the same time, and the most addresses of which wrong passwords come.
    pub(crate) growth_sessions_max: usize,
    pub(crate) growth_addresses_max: usize,
    /// Leases for one number in the table of the pool.
    pub(crate) growth_leases: u64,
}

impl Scale {
    pub(crate) const FULL: Self = Self {
        rounds: 5,
        large_bytes: 256 << 20,
        large_transfers: 4,
        small_files: 500,
        small_transfers: 1500,
        logins: 400,
        commands: 5000,
        pipelines: 20,
        entries: 10_000,
        listings: 4,
        parallel: 50,
        parallel_bytes: 32 << 20,
        idle_sessions: 300,
        growth_entries_max: 1_000_000,
        growth_ports_max: 10_000,
        growth_sessions_max: 10_000,
        growth_addresses_max: 100_000,
        growth_leases: 200_000,
    };

    pub(crate) const QUICK: Self = Self {
        rounds: 1,
        large_bytes: 4 << 20,
        large_transfers: 1,
        small_files: 10,
        small_transfers: 20,
        logins: 8,
        commands: 50,
        pipelines: 2,
        entries: 100,
        listings: 1,
        parallel: 5,
        parallel_bytes: 1 << 20,
        idle_sessions: 10,
        growth_entries_max: 1000,
        growth_ports_max: 100,
        growth_sessions_max: 10,
        growth_addresses_max: 100,
        growth_leases: 640,
    };
}
