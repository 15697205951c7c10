//! The clock is an argument: no test here waits.

use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn network(text: &str) -> ClientNetwork {
    ClientNetwork::of(text.parse().expect(text))
}

fn numbered(number: u32) -> ClientNetwork {
    let address = (0x2001_0db8_u128 << 96) | (u128::from(number) << 64) | 1;
    ClientNetwork::of(IpAddr::V6(Ipv6Addr::from_bits(address)))
}

fn rules(after: u32, seconds: u64) -> LoginRules {
    LoginRules {
        slows_down: true,
        block: (after > 0).then_some(LoginBlock {
            after,
            time: Duration::from_secs(seconds),
        }),
    }
}

/// A throttle with a clock.
struct Bench {
    throttle: LoginThrottle,
    rules: LoginRules,
    now: Instant,
}

impl Bench {
    fn new(rules: LoginRules) -> Self {
        Self {
            throttle: LoginThrottle::default(),
            rules,
            now: Instant::now(),
        }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn attempt(&self, network: ClientNetwork, is_right: bool) -> Attempt<()> {
        self.compare(network, PasswordTurn::New, is_right)
    }

    fn compare(&self, network: ClientNetwork, turn: PasswordTurn, is_right: bool) -> Attempt<()> {
        let check = || is_right.then_some(());
        let Self { rules, now, .. } = *self;
        self.throttle.attempt(network, rules, turn, now, check)
    }

    /// The same, and in its turn if it has to wait.
    fn attempt_at_last(&mut self, network: ClientNetwork, is_right: bool) -> Attempt<()> {
        match self.attempt(network, is_right) {
            Attempt::Waits(turn) => {
                self.now = turn;
                self.compare(network, PasswordTurn::Due, is_right)
            }
            attempt => attempt,
        }
    }

    /// How long a wrong password waits for its turn, in milliseconds.
    fn wait(&self, network: ClientNetwork) -> u128 {
        match self.attempt(network, false) {
            Attempt::Waits(turn) => (turn - self.now).as_millis(),
            Attempt::Failed(_) => 0,
            other => panic!("{other:?}"),
        }
    }

    fn addresses(&self) -> usize {
        lock(&self.throttle.0).addresses.len()
    }
}

fn blocked(seconds: u64) -> Attempt<()> {
    Attempt::Blocked(Duration::from_secs(seconds))
}

fn failed(blocks_after: Option<u32>) -> Attempt<()> {
    Attempt::Failed(Failure {
        blocks_after,
        forgotten: None,
    })
}

#[test]
fn after_a_failure_each_password_waits_for_its_turn() {
    let mut bench = Bench::new(rules(0, 0));
    let [one, other] = ["198.51.100.7", "198.51.100.8"].map(network);
    let waits = [(); 4].map(|()| bench.wait(one));
    assert_eq!(waits, [0, 200, 400, 600]);
    // Others do not wait for it.
    assert_eq!(bench.wait(other), 0);
    bench.pass(500);
    assert_eq!(bench.wait(one), 300);
    bench.pass(10_000);
    assert_eq!(bench.wait(one), 0);
    assert_eq!(bench.wait(one), 200);
}

#[test]
fn without_failures_nothing_waits() {
    let bench = Bench::new(rules(1, 9));
    for _ in 0..100 {
        assert_eq!(bench.attempt(numbered(1), true), Attempt::Succeeded(()));
    }
    assert_eq!(bench.addresses(), 0);
}

/// The right password waits like a wrong one: the time does not show which one it is.
#[test]
fn a_right_password_waits_and_then_clears_the_count() {
    let mut bench = Bench::new(rules(3, 9));
    let one = numbered(1);
    for _ in 0..2 {
        for _ in 0..2 {
            assert_eq!(bench.attempt_at_last(one, false), failed(None));
        }
        let turn = bench.now + TURN_TIME;
        assert_eq!(bench.attempt_at_last(one, true), Attempt::Succeeded(()));
        assert_eq!((bench.now, bench.addresses()), (turn, 0));
    }
}

#[test]
fn without_delay_nothing_waits_and_the_block_comes_still() {
    let mut bench = Bench::new(LoginRules {
        slows_down: false,
        ..rules(3, 60)
    });
    let one = numbered(1);
    for blocks_after in [None, None, Some(3)] {
        assert_eq!(bench.attempt(one, false), failed(blocks_after));
    }
    assert_eq!(bench.attempt(one, true), blocked(60));
    bench.pass(60_000);
    assert_eq!(bench.attempt(one, true), Attempt::Succeeded(()));
}

#[test]
fn a_block_is_for_its_address_and_ends() {
    let mut bench = Bench::new(rules(2, 60));
    let [one, same, other] = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"].map(network);
    assert_eq!(bench.attempt_at_last(one, false), failed(None));
    assert_eq!(bench.attempt_at_last(same, false), failed(Some(2)));
    let remaining = |bench: &Bench, network| {
        let time = bench.throttle.blocked_for(network, bench.rules, bench.now);
        time.map(|time| time.as_secs())
    };
    assert_eq!(remaining(&bench, one), Some(60));
    assert_eq!(remaining(&bench, other), None);
    bench.pass(59_000);
    assert_eq!(bench.attempt_at_last(one, true), blocked(1));
    let all = bench.throttle.blocked(bench.rules, bench.now);
    assert_eq!(all, [(one, Duration::from_secs(1))]);
    bench.pass(1000);
    assert_eq!(remaining(&bench, one), None);
    assert_eq!(bench.throttle.blocked(bench.rules, bench.now), []);
    // The count starts anew.
    assert_eq!(bench.attempt_at_last(one, false), failed(None));
}

/// Its turn comes after the block began.
#[test]
fn passwords_that_wait_are_not_compared_after_a_block() {
    let mut bench = Bench::new(rules(2, 60));
    let one = numbered(1);
    assert_eq!(bench.wait(one), 0);
    assert_eq!([bench.wait(one), bench.wait(one)], [200, 400]);
    bench.pass(200);
    let wrong = bench.compare(one, PasswordTurn::Due, false);
    assert_eq!(wrong, failed(Some(2)));
    bench.pass(200);
    assert_eq!(
        bench.compare(one, PasswordTurn::Due, true),
        Attempt::Blocked(Duration::from_millis(59_800))
    );
}

/// As after a reload.
#[test]
fn rules_without_a_block_lift_it() {
    let mut bench = Bench::new(rules(1, 60));
    let one = numbered(1);
    assert_eq!(bench.attempt(one, false), failed(Some(1)));
    bench.rules.block = None;
    assert_eq!(
        bench.throttle.blocked_for(one, bench.rules, bench.now),
        None
    );
    assert_eq!(bench.attempt_at_last(one, false), failed(None));
    bench.rules = rules(9, 60);
    assert_eq!(
        bench.throttle.blocked_for(one, bench.rules, bench.now),
        None
    );
}

/// They do not come back with a later reload either, and the number is for the log.
#[test]
fn blocks_that_are_lifted_are_forgotten() {
    let mut bench = Bench::new(rules(2, 60));
    for number in [1, 2, 2, 3, 3] {
        bench.attempt_at_last(numbered(number), false);
    }
    bench.rules = rules(2, 1);
    for _ in 0..2 {
        bench.attempt_at_last(numbered(4), false);
    }
    bench.pass(1000);
    assert_eq!(bench.throttle.lift_blocks(bench.now), 2);
    assert_eq!(bench.addresses(), 1);
    assert_eq!(bench.throttle.lift_blocks(bench.now), 0);
}

#[test]
fn failures_count_for_ten_minutes_or_as_long_as_a_block() {
    for (time, counts_for) in [(1, 600), (3600, 3600)] {
        let mut bench = Bench::new(rules(2, time));
        let one = numbered(1);
        assert_eq!(bench.attempt_at_last(one, false), failed(None));
        bench.pass(counts_for * 1000);
        assert_eq!(bench.attempt_at_last(one, false), failed(None), "{time}");
        bench.pass(counts_for * 1000 - 1);
        assert_eq!(bench.attempt_at_last(one, false), failed(Some(2)), "{time}");
    }
}

/// Sessions that end do not give their turns back.
#[test]
fn too_many_turns_are_refused() {
    let mut bench = Bench::new(rules(0, 0));
    let one = numbered(1);
    let waits = (0..).map_while(|_| match bench.attempt(one, true) {
        Attempt::Succeeded(()) => Some(0),
        Attempt::Waits(turn) => Some((turn - bench.now).as_millis()),
        _ => None,
    });
    assert_eq!(bench.attempt(one, false), failed(None));
    assert_eq!(waits.last(), Some(TURN_WAIT_MAX.as_millis()));
    bench.pass(200);
    assert_eq!(bench.wait(one), TURN_WAIT_MAX.as_millis());
    assert_eq!(bench.attempt(one, true), Attempt::Crowded);
}

/// A network with 2^32 times /64: only as many are remembered as fit, and those that matter.
#[test]
fn many_addresses_do_not_displace_those_with_many_failures() {
    let mut bench = Bench::new(rules(5, 3600));
    let (known, caught) = (network("198.51.100.7"), network("198.51.100.8"));
    for _ in 0..4 {
        bench.attempt_at_last(known, false);
    }
    for _ in 0..5 {
        bench.attempt_at_last(caught, false);
    }
    let many = u32::try_from(3 * ADDRESSES_MAX).expect("few");
    let mut forgotten = 0;
    for number in 0..many {
        bench.pass(1);
        match bench.attempt(numbered(number), false) {
            Attempt::Failed(failure) => forgotten = failure.forgotten.unwrap_or(forgotten),
            other => panic!("{other:?}"),
        }
        assert!(bench.addresses() <= ADDRESSES_MAX);
    }
    let kept = u64::try_from(ADDRESSES_MAX - 2).expect("few");
    assert_eq!(forgotten, u64::from(many) - kept);
    assert!(matches!(bench.attempt(caught, true), Attempt::Blocked(_)));
    assert_eq!(bench.attempt_at_last(known, false), failed(Some(5)));
    // Those that have expired leave by themselves.
    bench.pass(3_600_000);
    bench.attempt(known, false);
    assert_eq!(bench.addresses(), 1);
}

proptest! {
    /// However the wrong passwords of an address come, at most five are compared in a second.
    #[test]
    fn at_most_five_in_a_second(pauses in prop::collection::vec(0_u64..400, 1..200)) {
        let mut bench = Bench::new(rules(0, 0));
        let mut compared = Vec::new();
        for pause in pauses {
            bench.pass(pause);
            match bench.attempt(numbered(1), false) {
                Attempt::Waits(turn) => compared.push(turn),
                Attempt::Failed(_) => compared.push(bench.now),
                Attempt::Crowded => {}
                other => prop_assert!(false, "{:?}", other),
            }
        }
        for six in compared.windows(6) {
            prop_assert!(six[5] - six[0] >= Duration::from_secs(1));
        }
    }
}
