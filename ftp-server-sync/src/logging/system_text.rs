//! The system's errors, as texts for people: without the numbers that the standard library adds.

use std::fmt;
use std::io;

/// The text of an error: `Permission denied`, not `Permission denied (os error 13)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemText<'a>(pub(crate) &'a io::Error);

impl fmt::Display for SystemText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let number = self.0.raw_os_error();
        let suffix = number.map(|number| format!(" (os error {number})"));
        let text = suffix
            .and_then(|suffix| text.strip_suffix(&suffix))
            .unwrap_or(&text);
        f.write_str(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_left_out() {
        let error = io::Error::from_raw_os_error(13);
        assert_eq!(error.to_string(), "Permission denied (os error 13)");
        assert_eq!(SystemText(&error).to_string(), "Permission denied");
        let own = io::Error::other("the name (os error 13) is taken");
        assert_eq!(SystemText(&own).to_string(), own.to_string());
    }
}
