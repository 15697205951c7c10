//! Events that strangers can cause as often as they like, and that must not fill the log.

use log::Level;

/// Whether the event with this number has a line of its own at the usual level: the first, the
/// tenth, the hundredth and so on. The others are for `--debug`.
pub(crate) fn is_reported(number: u64) -> bool {
    number > 0 && 10_u64.checked_pow(number.ilog10()) == Some(number)
}

/// The level of a line about the event with this number, if the operator should see the usual ones.
pub(crate) fn level(number: u64) -> Level {
    if is_reported(number) {
        Level::Warn
    } else {
        Level::Debug
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_lines_are_warnings() {
        let warned: Vec<u64> = (1..=1000)
            .filter(|&number| level(number) == Level::Warn)
            .collect();
        assert_eq!(warned, [1, 10, 100, 1000]);
    }

    #[test]
    fn powers_of_ten_are_reported() {
        let reported: Vec<u64> = (0..=1000).filter(|&number| is_reported(number)).collect();
        assert_eq!(reported, [1, 10, 100, 1000]);
        assert!(!is_reported(u64::MAX));
    }
}
